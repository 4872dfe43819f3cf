import { Type } from 'typebox';
import { describe, expect, it } from 'vitest';
import {
  EdgeError,
  type Harness,
  LIMITS,
  type PolicyHook,
  type Tool,
  type ToolAnswer,
} from '../../contract/index.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

type Probe = 'happened' | 'did not' | 'throws' | 'deaf' | 'has none';
type Setup = {
  readonly replay: 'never' | 'safe' | 'probe';
  readonly probe?: Probe;
  readonly effect?: 'write' | 'actuate';
  readonly hooks?: readonly PolicyHook[];
};

/** A world in which one tool has one effect, and a harness that calls it once and says what it heard. */
class World {
  readonly effects: string[] = [];
  readonly heard: string[] = [];
  readonly robot = new FakeRobot({ cells: 2 });

  rig(setup: Setup, more: { rig?: RuntimeRig; cut?: Cut }): RuntimeRig {
    const app = {
      ...flowApp(
        'effect',
        oneState(async () => ({ event: 'ok', reason: '' })),
      ),
      harness: 'pi' as const,
      agent: { instructions: '', prompt: () => '', tools: ['world.*'], turnsMax: 1 },
      tools: [this.#tool(setup)],
    };
    const harness: Harness = {
      kind: 'pi',
      execute: async ({ toolBox }) => {
        const answer = await toolBox.call('world.effect', { n: 1 }, { originId: 'call_1' }).then(
          ({ result }) => `${result['said']}`,
          (error: unknown) => (error instanceof EdgeError ? error.code : String(error)),
        );
        this.heard.push(answer);
        return { status: 'succeeded', reason: answer, summary: {} };
      },
    };
    return new RuntimeRig({
      apps: [app],
      robot: this.robot,
      hooks: setup.hooks ?? [],
      ...(more.rig ? { disk: more.rig.disk, clock: more.rig.clock } : {}),
      ...(more.cut ? { cut: more.cut } : {}),
      options: { harnesses: { pi: () => harness } },
    });
  }

  #tool({ replay, probe = 'has none', effect = 'write' }: Setup): Tool {
    const asked = async (): Promise<ToolAnswer | undefined> => {
      if (probe === 'throws') throw new Error('nobody there');
      if (probe === 'deaf') return await new Promise<never>(() => {});
      return probe === 'happened' ? { result: { said: 'was done' } } : undefined;
    };
    return {
      spec: {
        name: 'world.effect',
        description: '',
        input: Type.Object({ n: Type.Integer({ minimum: 0, maximum: 9 }) }, { additionalProperties: false }),
        effect,
        replay,
        deadlineMs: 5_000,
        origin: 'app',
      },
      run: async (_args, { callId }) => {
        this.effects.push(callId);
        return { result: { said: 'done' } };
      },
      ...(probe === 'has none' ? {} : { probe: asked }),
    };
  }
}

/** Runs until the call is durable and its effect is there, cuts before its answer is written, and goes on. */
async function cutAfterEffect(setup: Setup, later: Setup = setup) {
  const world = new World();
  const whole = new World();
  const uncut = whole.rig(setup, {});
  await uncut.cell.start();
  await uncut.cell.submit({ type: 'effect/go' }, PERSON);
  await uncut.finished();
  const ends = uncut.events.findIndex(({ kind }) => kind === 'tool.returned');
  let seen = 0;
  const append =
    1 +
    uncut.appends.findIndex((size) => {
      seen += size;
      return seen > ends;
    });
  const first = world.rig(setup, { cut: { append, when: 'before' } });
  await first.cell.start();
  void first.cell.submit({ type: 'effect/go' }, PERSON).catch(() => {});
  await first.finished();
  expect(world.effects).toHaveLength(1);
  const second = world.rig(later, { rig: first });
  await second.cell.start();
  await second.finished();
  const calls = second.of('tool.called');
  const returns = second.of('tool.returned');
  // One call, one end, whatever happened.
  expect([calls.length, returns.length]).toEqual([1, 1]);
  expect(returns[0]!.payload.call_id).toBe(calls[0]!.payload.call_id);
  expect(new Set(world.effects)).toEqual(new Set([calls[0]!.payload.call_id]));
  return { effects: world.effects.length, heard: world.heard.at(-1), orders: world.robot.orders, second };
}

describe('a call that a cut left open', () => {
  it.each([
    [{ replay: 'never' }, 1, 'run.interrupted'],
    [{ replay: 'safe' }, 2, 'done'],
    [{ replay: 'probe', probe: 'happened' }, 1, 'was done'],
    [{ replay: 'probe', probe: 'did not' }, 2, 'done'],
    // What cannot be asked may have happened: it is never repeated.
    [{ replay: 'probe', probe: 'throws' }, 1, 'run.interrupted'],
    [{ replay: 'probe', probe: 'deaf' }, 1, 'run.interrupted'],
    [{ replay: 'probe' }, 1, 'run.interrupted'],
  ] as const)('%j happens %i times and the model hears %s', async (setup, effects, heard) => {
    const { effects: found, heard: said } = await cutAfterEffect(setup);
    expect([found, said]).toEqual([effects, heard]);
  });

  it('keeps the class that it was made under when its tool has another one by now', async () => {
    for (const [was, is] of [
      [{ replay: 'never' }, { replay: 'safe' }],
      [{ replay: 'safe' }, { replay: 'never' }],
      [{ replay: 'probe', probe: 'did not' }, { replay: 'safe' }],
    ] as const) {
      const { effects, heard } = await cutAfterEffect(was, is);
      expect([was.replay, is.replay, effects, heard]).toEqual([was.replay, is.replay, 1, 'run.interrupted']);
    }
  });

  const saying = (decision: 'allow' | 'deny' | 'needs_approval'): readonly PolicyHook[] => [
    {
      name: 'now',
      decide: async ({ point }) => ({ decision: point === 'tool' ? decision : 'allow', reason: 'as of now' }),
    },
  ];

  it.each([
    [{ replay: 'safe' }, 'deny', 1, 'policy.denied'],
    [{ replay: 'safe' }, 'needs_approval', 1, 'policy.needs_approval'],
    [{ replay: 'safe' }, 'allow', 2, 'done'],
    [{ replay: 'probe', probe: 'did not', effect: 'actuate' }, 'deny', 1, 'policy.denied'],
    // What has happened has: no policy undoes it.
    [{ replay: 'probe', probe: 'happened' }, 'deny', 1, 'was done'],
  ] as const)(
    '%j is judged again: %s, happens %i times, the model hears %s',
    async (was, now, times, heard) => {
      const before = { ...was, hooks: saying('allow') };
      const found = await cutAfterEffect(before, { ...was, hooks: saying(now) });
      expect([found.effects, found.heard]).toEqual([times, heard]);
      if ('effect' in was) expect(found.orders.at(-1)).toMatch(/^stop/);
    },
  );

  it('stops the robot before anybody hears that an actuating one is unknown', async () => {
    const { orders, second } = await cutAfterEffect({ replay: 'probe', probe: 'deaf', effect: 'actuate' });
    expect(orders.filter((order) => order.startsWith('stop world.effect'))).toHaveLength(1);
    expect(second.of('tool.returned')[0]!.payload.error?.message).toMatch(/cannot be asked/);
    expect(LIMITS.TOOL_PROBE_MS).toBeGreaterThanOrEqual(10_000);
  });
});
