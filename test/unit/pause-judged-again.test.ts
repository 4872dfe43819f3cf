import { describe, expect, it } from 'vitest';
import { type EventPayload, IdSource, type Intent, type NewEvent } from '../../contract/index.ts';
import { PauseGate } from '../../daemon/runtime/attempt/pause-gate.ts';
import { type Effect, ToolGate } from '../../daemon/runtime/gate/tool-gate.ts';
import { ToolJournal } from '../../daemon/runtime/gate/tool-journal.ts';
import { isWithinTool } from '../../daemon/runtime/law/motion-law.ts';
import { PolicyGate } from '../../daemon/runtime/law/policy-gate.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** A gate whose policies a test changes, and a run that it pauses as soon as something was judged. */
function rig() {
  const clock = new ManualClock();
  const pause = new PauseGate(clock);
  const over = new AbortController();
  const events: NewEvent[] = [];
  let isForbidden = false;
  let judged = 0;
  const gate = new ToolGate({
    runId: 'run',
    intent: {
      type: 'a/b',
      policy_ctx: { tenant: 'lab', principal: 'ada', roles: [], origin: 'cli' },
    } as unknown as Intent,
    clock,
    ids: new IdSource(
      () => 1,
      (length) => new Uint8Array(length),
    ),
    hooks: new PolicyGate(
      [
        {
          name: 'site',
          decide: async () => {
            if (++judged === 1) pause.close();
            return isForbidden
              ? { decision: 'deny', reason: 'people came' }
              : { decision: 'allow', reason: '' };
          },
        },
      ],
      clock,
    ),
    journal: new ToolJournal([]),
    signal: over.signal,
    emit: async (more) => void events.push(...more),
    robotTime: () => undefined,
    unpaused: () => pause.pass(over.signal),
    pausedMs: () => pause.shutMs,
    stopRobot: async () => {},
  });
  let moved = 0;
  const effect: Effect = {
    ...{ tool: 'robot.maneuver', args: {}, effect: 'actuate', replay: 'never', deadlineMs: 1_000 },
    work: async () => {
      moved++;
      return { result: {} };
    },
  };
  const waitForPause = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    expect([pause.shut, judged]).toEqual([true, 1]);
  };
  const proceed = async (forbidden: boolean) => {
    await clock.advance(3_600_000);
    isForbidden = forbidden;
    pause.open();
  };
  return {
    ...{ gate, effect, events, waitForPause, proceed },
    moved: () => moved,
    judged: () => judged,
  };
}

describe('a motion that was judged before a pause', () => {
  it('as a call does not begin under policies that forbid it now', async () => {
    const { gate, effect, events, waitForPause, proceed, moved } = rig();
    const call = gate.callTool(effect).catch((error: unknown) => error);
    await waitForPause();
    await proceed(true);
    expect(await call).toMatchObject({
      code: 'policy.denied',
      message: expect.stringContaining('people came'),
    });
    expect(moved()).toBe(0);
    expect(events.at(-1)).toMatchObject({
      kind: 'tool.returned',
      payload: { ok: false, error: { code: 'policy.denied' } },
    });
    const decided = events.filter(({ kind }) => kind === 'policy.decided');
    expect(decided.map(({ payload }) => isWithinTool(payload as EventPayload<'policy.decided'>))).toContain(
      true,
    );
    expect(gate.busy).toBe(false);
  });

  it('as a call begins where it is still allowed', async () => {
    const { gate, effect, waitForPause, proceed, moved, judged } = rig();
    const call = gate.callTool(effect);
    await waitForPause();
    await proceed(false);
    expect(await call).toEqual({ result: {} });
    expect([moved(), judged()]).toEqual([1, 2]);
  });

  it('within a tool does not begin under policies that forbid it now', async () => {
    const { gate, waitForPause, proceed } = rig();
    const goal = { kind: 'drive', distance: 1 } as const;
    const allowed = gate.allowMotion('maze.go', 'maneuver', goal).catch((error: unknown) => error);
    await waitForPause();
    await proceed(true);
    expect(await allowed).toMatchObject({ code: 'policy.denied' });
  });
});

it('a pause does not stand before a stop', async () => {
  const { gate, effect, waitForPause, moved } = rig();
  void gate.callTool(effect).catch(() => {});
  await waitForPause();
  await gate.callTool({ ...effect, tool: 'robot.stop', replay: 'safe' });
  expect(moved()).toBe(1);
});
