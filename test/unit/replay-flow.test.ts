import { describe, expect, it } from 'vitest';
import { type Application, EdgeError, type PolicyHook, pause } from '../../contract/index.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { swapRun } from '../../daemon/runtime/replay/swap-run.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { replayParts } from '../support/replay-rig.ts';
import { type Cut, PERSON, RuntimeRig } from '../support/runtime-rig.ts';
import { maze as application } from '../support/shipped-apps.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const allows: PolicyHook = { name: 'rules', decide: async () => ({ decision: 'allow', reason: 'fine' }) };

async function mission(
  seed: number,
  stuckShare = 0,
  cuts: readonly Cut[] = [],
  app: Application = application,
) {
  const robot = new FakeRobot({ seed, cells: 6, stuckShare });
  let rig = new RuntimeRig({ apps: [app], robot, hooks: [allows], ...(cuts[0] ? { cut: cuts[0] } : {}) });
  await rig.cell.start();
  const { run } = await rig.cell.submit({ type: app.intents[0]!.type, params: {} }, PERSON);
  await rig.finished();
  for (const cut of [...cuts.slice(1), undefined]) {
    if (!rig.dead) break;
    const { disk, clock } = rig;
    rig = new RuntimeRig({ apps: [app], robot, hooks: [allows], disk, clock, ...(cut ? { cut } : {}) });
    await rig.cell.start();
    await rig.finished();
  }
  return { rig, runId: run.run_id };
}

describe('a flow that is done again', () => {
  it.each([1, 2, 3])('comes out byte for byte (maze %i)', async (seed) => {
    const { rig, runId } = await mission(seed, seed === 3 ? 0.33 : 0);
    const outcome = await replayRun(replayParts(rig.disk, application), runId);
    expect(outcome).toMatchObject({ verdict: 'identical', attempts: 1 });
    expect(outcome.replayed_sha256).toBe(outcome.recorded_sha256);
    expect(outcome.lines).toBeGreaterThan(20);
  });

  it.each([5, 9, 14, 22, 31])('also where it was killed at append %i, and again later', async (append) => {
    const cuts: Cut[] = [
      { append, when: 'after' },
      { append: 7, when: 'before' },
    ];
    const { rig, runId } = await mission(2, 0.33, cuts);
    const outcome = await replayRun(replayParts(rig.disk, application), runId);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
    expect(outcome.attempts).toBe(3);
  });

  it('from any event of it', async () => {
    const { rig, runId } = await mission(1);
    const events = rig.events.filter((event) => event.run_id === runId);
    const parts = replayParts(rig.disk, application);
    for (let n = 3; n < events.length - 1; n += 7) {
      const outcome = await replayRun(parts, runId, String(n));
      expect({ n, ...outcome }).toMatchObject({ n, verdict: 'identical' });
      expect(outcome.from).toBeGreaterThanOrEqual(3);
    }
    expect(await replayRun(parts, runId, 'navigate')).toMatchObject({ verdict: 'identical' });
    await expect(replayRun(parts, runId, 'nowhere')).rejects.toMatchObject({ code: 'schema.invalid' });
  }, 60_000);

  it('says where changed code takes another way, and reaches nothing to find out', async () => {
    const { rig, runId } = await mission(1);
    const flow = application.flow!;
    const drive = flow.states['navigate']!;
    if ('end' in drive) throw new Error('navigate is no end');
    const changed: Application = {
      ...application,
      flow: {
        ...flow,
        states: {
          ...flow.states,
          navigate: {
            ...drive,
            enter: async (scope) => {
              const robot = Object.create(scope.robot) as typeof scope.robot;
              robot.navigate = (goal, signal) =>
                scope.robot.navigate({ ...goal, tolerance: goal.tolerance / 2 }, signal);
              return await drive.enter({ ...scope, robot });
            },
          },
        },
      },
    };
    const asked = rig.bus.asked.length;
    const outcome = await replayRun(replayParts(rig.disk, changed), runId);
    expect(outcome).toMatchObject({ verdict: 'diverged', divergence: { class: 'arguments' } });
    const first = rig.events.find((event) => event.kind === 'tool.called');
    expect(outcome.divergence!.event_id).toBe(first!.event_id);
    expect(outcome.divergence!.expected).toContain('"tolerance_m":0.25');
    expect(outcome.divergence!.actual).toContain('"tolerance_m":0.125');
    expect(rig.bus.asked.length).toBe(asked);
  });

  it('waits, retries and deadlines come out as they did', async () => {
    let tries = 0;
    const app = flowApp(
      'patient',
      oneState(
        async (scope) => {
          for (let i = 0; i < 3; i++) await pause(scope.clock, 400, scope.signal);
          await scope.robot.state();
          const { message } = await scope.robot.maneuver({ kind: 'wait', durationMs: 10 }, scope.signal);
          if (tries++ < 2) throw new EdgeError('robot.stuck', { operation: 'try', subject: message });
          // Deaf: its deadline ends it.
          return await new Promise<never>(() => {});
        },
        { deadlineMs: 5_000, retry: { times: 3, delayMs: 100, delayMsMax: 1_000 } },
      ),
    );
    const { rig, runId } = await mission(1, 0, [], app);
    expect(rig.of('run.finished')[0]!.payload.reason).toBeDefined();
    tries = 0;
    const outcome = await replayRun(replayParts(rig.disk, app), runId);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
  });

  it('that was cancelled while it drove is cancelled again', async () => {
    const rig = new RuntimeRig({ apps: [application], robot: new FakeRobot({ seed: 2, cells: 6 }) });
    await rig.cell.start();
    const { run } = await rig.cell.submit({ type: 'maze/find_exit', params: {} }, PERSON);
    await rig.until(() => rig.of('tool.called').length >= 2, 'second drive');
    let done = false;
    void rig.cell.cancel(run.run_id, 'enough').then(() => {
      done = true;
    });
    await rig.until(() => done, 'cancelled');
    const outcome = await replayRun(replayParts(rig.disk, application), run.run_id);
    expect(outcome.divergence).toBeUndefined();
    expect(outcome.verdict).toBe('identical');
  });

  it('refuses a run that there is not, and an application that is gone', async () => {
    const { rig, runId } = await mission(1);
    const parts = replayParts(rig.disk, application);
    await expect(replayRun(parts, '018bcfe5-6800-7001-8202-ffffffffffff')).rejects.toMatchObject({
      code: 'run.not_found',
    });
    await expect(replayRun({ ...parts, load: () => undefined }, runId)).rejects.toMatchObject({
      code: 'run.interrupted',
    });
  });
});

describe('a flow that is done again under other policies', () => {
  it('shows what they would have forbidden, as a diff', async () => {
    const { rig, runId } = await mission(1);
    const strict: PolicyHook = {
      name: 'rules',
      decide: async ({ subject }) =>
        subject === 'robot.navigate'
          ? { decision: 'deny', reason: 'nobody drives' }
          : { decision: 'allow', reason: 'fine' },
    };
    const outcome = await swapRun(replayParts(rig.disk, application), runId, undefined, { hooks: [strict] });
    expect(outcome).toMatchObject({ verdict: 'changed', swapped: ['policy'] });
    expect(outcome.diff!.rows[outcome.diff!.first!]!.class).toBe('policy');
  });

  it('and that the same ones change nothing', async () => {
    const { rig, runId } = await mission(1);
    const outcome = await swapRun(replayParts(rig.disk, application), runId, undefined, { hooks: [allows] });
    expect(outcome).toMatchObject({ verdict: 'identical', message: 'it came to its end' });
  });
});

describe('what is recorded for it', () => {
  it('costs no append of its own and few bytes', async () => {
    const { rig } = await mission(1);
    const observed = rig.of('robot.observed');
    expect(observed.length).toBeGreaterThan(5);
    // Each stands directly before an event of the same append.
    for (const { seq } of observed) expect(rig.events.find((event) => event.seq === seq + 1)).toBeDefined();
    const bytes = observed.reduce((sum, event) => sum + JSON.stringify(event.payload).length, 0);
    expect(bytes / observed.length).toBeLessThan(1_000);
  });
});
