import { afterEach, describe, expect, it } from 'vitest';
import {
  type Application,
  EdgeError,
  type LeaseEnd,
  type LeaseView,
  METHODS,
  type MotionRequest,
  type MotionResult,
  type StopRequest,
  type Takeover,
  TOPICS,
  takenOverBy,
  toWireTime,
} from '../../contract/index.ts';
import { DegradingHarness } from '../../daemon/runtime/flow/degrading-harness.ts';
import { replayRun } from '../../daemon/runtime/replay/replay-run.ts';
import { TakeoverWatch } from '../../daemon/runtime/robot/takeover-watch.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { agentApp, agents, type Work } from '../support/agent-app.ts';
import { replayParts } from '../support/replay-rig.ts';
import { PERSON, type RigOptions, RuntimeRig } from '../support/runtime-rig.ts';
import { flowApp, oneState } from '../support/test-apps.ts';

const { execution } = METHODS;
const VERA = { holder: 'vera', role: 'teleoperation' } as const;
const TAKEN = 'taken over by vera (teleoperation)';
const GOAL = { pose: { x: 1, y: 1, yaw: 0 }, tolerance: 0.2, timeoutMs: 600_000 };
const result = (outcome: MotionResult['outcome'], message = ''): MotionResult => ({
  ...{ outcome, message, pose: undefined, distance: 0, durationMs: 0, time: 1n },
});

const watches: TakeoverWatch[] = [];
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close();
});

/** The execution cell as a run sees it: one lease, and motions that the test ends. Outlives runtime cells. */
class Robot {
  #lease: LeaseView = { state: 'free' };
  readonly motions: { readonly run: string | undefined; end(result: MotionResult): void }[] = [];
  readonly stops: StopRequest[] = [];

  serve({ bus }: RuntimeRig): void {
    bus.handle(execution.leaseState, async () => this.#lease);
    bus.handle(execution.robotNavigate, (body) => {
      if (this.#lease.state === 'held')
        throw new EdgeError('lease.held', { operation: 'acquire-lease', subject: 'agent' });
      const { promise, resolve } = Promise.withResolvers<MotionResult>();
      this.motions.push({ run: (body as MotionRequest<unknown>).run, end: resolve });
      return promise;
    });
    bus.handle(execution.robotStop, async (body) => void this.stops.push(body as StopRequest));
  }

  /** Who takes over is announced first, then what moves ends. */
  take({ clock, bus }: RuntimeRig): void {
    const takeover: Takeover = { ...VERA, since_ns: toWireTime(clock.now()) };
    this.#lease = { state: 'held', ...VERA, takeover };
    bus.tell(TOPICS.leaseTaken, takeover);
    this.motions.at(-1)?.end(result('preempted', TAKEN));
  }

  leave(end: LeaseEnd): void {
    this.#lease = { state: 'free', takeover: { ...this.#lease.takeover!, end } };
  }
}

/** Drives to one place; a motion that ends otherwise is a failure. */
const drives = (more: Parameters<typeof oneState>[1] = {}): Application =>
  flowApp(
    'drive',
    oneState(async ({ robot }) => {
      const { outcome } = await robot.navigate(GOAL);
      if (outcome === 'reached') return { event: 'ok', reason: outcome };
      throw new EdgeError('robot.stuck', { operation: 'drive', subject: outcome });
    }, more),
  );

function rigOf(
  robot: Robot,
  options: Partial<RigOptions> & Pick<RigOptions, 'apps'>,
  resumeAfterMs?: number,
) {
  const rig = new RuntimeRig({ robot: new FakeRobot({ cells: 4 }), ...options });
  robot.serve(rig);
  const { bus, clock } = rig;
  const watch = new TakeoverWatch({ bus, clock, runs: rig.cell.control, resumeAfterMs, report: () => {} });
  watches.push(watch);
  return { rig, watch };
}

async function begin({ cell }: RuntimeRig, type = 'drive/go'): Promise<string> {
  await cell.start();
  return (await cell.submit({ type }, PERSON)).run.run_id;
}

async function passes({ clock }: RuntimeRig, ms: number): Promise<void> {
  for (let i = 0; i < ms / 500; i++) await clock.advance(500);
}

const isPaused = (rig: RuntimeRig, runId: string) => () => rig.cell.run(runId).run.status === 'paused';

describe('a run whose robot is taken over', () => {
  it('pauses with the name, waits for a person, and does its step again: no failure, no retry, no attempt', async () => {
    const robot = new Robot();
    const app = drives({ deadlineMs: 10_000 });
    const { rig } = rigOf(robot, { apps: [app] });
    const runId = await begin(rig);
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.take(rig);
    await rig.until(isPaused(rig, runId), 'the pause');
    expect(rig.cell.run(runId).reason).toBe(TAKEN);
    robot.leave('returned');
    // Longer than the state may take: a pause is not its time.
    await passes(rig, 60_000);
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: TAKEN });
    expect(rig.cell.status().load?.paused).toEqual([{ run_id: runId, reason: TAKEN }]);
    expect(robot.motions).toHaveLength(1);
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.motions.length === 2, 'the drive again');
    robot.motions[1]!.end(result('reached'));
    await rig.finished();
    expect(rig.cell.run(runId).run).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(rig.of('run.phase').map(({ payload }) => payload.reason)).toEqual([
      'begin',
      `again: ${TAKEN}`,
      'ok: reached',
    ]);
    // Motions are those of the run, and so is each of its stops.
    expect(robot.motions.map(({ run }) => run)).toEqual([runId, runId]);
    expect(robot.stops.map(({ run }) => run)).toEqual(robot.stops.map(() => runId));
    expect(rig.cell.status().load?.paused).toBeUndefined();
    // Who took over is in the record of the call, so a replay goes the same way.
    const outcome = await replayRun(replayParts(rig.disk, app), runId);
    expect(outcome).toMatchObject({ verdict: 'identical' });
  });

  it('that starts while a person has the robot waits, also where it is resumed too early', async () => {
    const robot = new Robot();
    const { rig } = rigOf(robot, { apps: [drives()] });
    robot.take(rig);
    const runId = await begin(rig);
    await rig.until(isPaused(rig, runId), 'the pause');
    expect(rig.cell.run(runId).reason).toBe(TAKEN);
    await rig.cell.control.resume(runId);
    await rig.until(() => rig.of('run.status').length === 3, 'the pause again');
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: TAKEN });
    robot.leave('expired');
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.motions[0]!.end(result('reached'));
    await rig.finished();
    expect(rig.cell.run(runId).run.status).toBe('succeeded');
    // One call, which waited.
    expect(rig.of('tool.called')).toHaveLength(1);
  });

  it('that has not moved goes on thinking, and pauses where it would move, also after the lease', async () => {
    const robot = new Robot();
    const thought = Promise.withResolvers<void>();
    const work: Work = async (context) => {
      await thought.promise;
      expect((await context.robot.navigate(GOAL)).outcome).toBe('reached');
      return {};
    };
    const { rig } = rigOf(robot, { apps: [agentApp('talk')], options: agents({ talk: work }) });
    const runId = await begin(rig, 'talk/go');
    await passes(rig, 1_000);
    robot.take(rig);
    robot.leave('returned');
    await passes(rig, 1_000);
    expect(rig.cell.run(runId).run.status).toBe('running');
    thought.resolve();
    await rig.until(isPaused(rig, runId), 'the pause');
    expect(robot.motions).toEqual([]);
    expect(rig.of('tool.called')).toEqual([]);
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.motions[0]!.end(result('reached'));
    await rig.finished();
  });

  it('is an agent that reads by whom, before it goes on', async () => {
    const robot = new Robot();
    const seen: string[] = [];
    const work: Work = async (context) => {
      for (let i = 0; i < 2; i++) {
        const { outcome, message } = await context.robot.navigate(GOAL);
        seen.push(`${outcome} ${message}`.trim());
        await context.unpaused();
      }
      return {};
    };
    const { rig } = rigOf(robot, { apps: [agentApp('talk')], options: agents({ talk: work }) });
    const runId = await begin(rig, 'talk/go');
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.take(rig);
    await rig.until(isPaused(rig, runId), 'the pause');
    robot.leave('returned');
    await passes(rig, 5_000);
    expect(seen).toEqual([`preempted ${TAKEN}`]);
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.motions.length === 2, 'the next drive');
    robot.motions[1]!.end(result('reached'));
    await rig.finished();
    expect(seen).toEqual([`preempted ${TAKEN}`, 'reached']);
  });

  it('stays paused where its models fail meanwhile: the flow waits too', async () => {
    const robot = new Robot();
    const failed = Promise.withResolvers<void>();
    const agent = async (context: Parameters<Work>[0]) => {
      await context.robot.navigate(GOAL);
      await failed.promise;
      throw new EdgeError('model.unavailable', { operation: 'complete', subject: 'model' });
    };
    const { flow } = drives();
    const { rig } = rigOf(robot, {
      apps: [agentApp('talk', { flow: flow! })],
      options: { harnesses: { pi: () => new DegradingHarness({ kind: 'pi', execute: agent }, flow!) } },
    });
    const runId = await begin(rig, 'talk/go');
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.take(rig);
    await rig.until(isPaused(rig, runId), 'the pause');
    failed.resolve();
    await rig.until(() => rig.of('run.phase').length === 1, 'the degradation');
    robot.leave('returned');
    await passes(rig, 60_000);
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: TAKEN });
    expect(robot.motions).toHaveLength(1);
    await rig.cell.control.resume(runId);
    await rig.until(() => robot.motions.length === 2, 'the flow drives');
    robot.motions[1]!.end(result('reached'));
    await rig.finished();
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'succeeded' }, summary: { degraded: true } });
  });

  it.each(['paused', 'moving'] as const)('does not move after a restart: it was %s', async (how) => {
    const robot = new Robot();
    const { rig } = rigOf(robot, { apps: [drives()] });
    const runId = await begin(rig);
    await rig.until(() => robot.motions.length === 1, 'the drive');
    if (how === 'paused') {
      robot.take(rig);
      await rig.until(isPaused(rig, runId), 'the pause');
    }
    const { disk, clock } = rig;
    await clock.advance(1_000);
    const next = rigOf(robot, { apps: [drives()], disk, clock });
    // This cell was away when the person took the robot, and when the lease ended.
    const last = clock.now();
    await clock.advance(1_000);
    if (how === 'moving') robot.take(next.rig);
    robot.leave('expired');
    watches.at(-1)!.start(last);
    await next.rig.cell.start();
    await passes(next.rig, 5_000);
    expect(next.rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: TAKEN });
  });
});

describe('lease.resume = "after"', () => {
  async function taken(end: LeaseEnd) {
    const robot = new Robot();
    const { rig, watch } = rigOf(robot, { apps: [drives()] }, 5_000);
    watch.start(0n);
    const runId = await begin(rig);
    await rig.until(() => robot.motions.length === 1, 'the drive');
    robot.take(rig);
    await rig.until(isPaused(rig, runId), 'the pause');
    await passes(rig, 20_000);
    expect(rig.cell.run(runId).run.status).toBe('paused');
    robot.leave(end);
    await passes(rig, 4_000);
    expect(rig.cell.run(runId).run.status).toBe('paused');
    await passes(rig, 3_000);
    return { rig, robot, runId };
  }

  it('goes on by itself after a lease that was given back', async () => {
    const { rig, runId } = await taken('returned');
    expect(rig.cell.run(runId).run.status).toBe('running');
    expect(rig.of('run.status').at(-1)!.payload.reason).toBe(
      'vera (teleoperation) gave the robot back 5 s ago',
    );
  });

  it('never after one that was lost: whose connection broke may believe to steer', async () => {
    const { rig, runId } = await taken('expired');
    await passes(rig, 60_000);
    expect(rig.cell.run(runId)).toMatchObject({ run: { status: 'paused' }, reason: takenOverBy(VERA) });
  });
});
