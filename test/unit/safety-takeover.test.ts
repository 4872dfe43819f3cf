import { afterEach, describe, expect, it } from 'vitest';
import {
  type CellReport,
  type LeaseView,
  METHODS,
  type MotionResult,
  TOPICS,
  type Twist2d,
} from '../../contract/index.ts';
import type { MotionTold } from '../../daemon/execution/actuation.ts';
import { RobotService } from '../../daemon/execution/robot-service.ts';
import { endRigs, Rig, untilAborted } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

/** Execution as other cells reach it, with a base whose motions last until they are ended. */
function bench() {
  const rig = new Rig();
  const robot = { navigate: (_: unknown, signal: AbortSignal) => untilAborted(signal) };
  const { bus, clock } = rig;
  const context = { bus, clock } as never;
  const parts = { robot: robot as never, actuation: rig.actuation, connected: () => true };
  new RobotService(context, { ...parts, charge: () => undefined }).register();
  let motions = 0;
  const navigate = (run?: string) =>
    rig.ask<MotionResult>(execution.robotNavigate, {
      motionId: `m${++motions}`,
      goal: { pose: { x: 1, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 60_000 },
      ...(run === undefined ? {} : { run }),
    });
  const stop = (more: object = {}) => rig.ask(execution.robotStop, { reason: 'test', ...more });
  const take = (role = 'teleoperation', holder = 'vera') =>
    rig.ask<LeaseView>(execution.leaseTake, { role, holder, ttlMs: 1_000 });
  const steer = (leaseId: number | undefined, twist: Twist2d = { linear: 0.1, angular: 0 }) =>
    rig.ask(execution.teleopCommand, { leaseId, twist });
  return { rig, navigate, stop, take, steer };
}

describe('a takeover', () => {
  it('ends a motion as preempted, by name, and is announced before the motion ends', async () => {
    const { rig, navigate, take } = bench();
    const heard: string[] = [];
    rig.bus.broadcast = (topic, body) => {
      if (topic === TOPICS.leaseTaken) heard.push(JSON.stringify(body));
    };
    const moved = navigate('r1').then((result) => {
      heard.push(result.outcome);
      return result;
    });
    await turn();
    await take();
    expect(await moved).toMatchObject({
      outcome: 'preempted',
      message: 'taken over by vera (teleoperation)',
    });
    expect(heard).toEqual([expect.stringContaining('"holder":"vera","role":"teleoperation"'), 'preempted']);
  });

  it.each(['returned', 'expired'] as const)('says in the view how the lease ended: %s', async (end) => {
    const { rig, take } = bench();
    const { lease_id: leaseId, takeover } = await take();
    expect(takeover).toMatchObject({ holder: 'vera', role: 'teleoperation' });
    if (end === 'returned') await rig.ask(execution.leaseReturn, { leaseId });
    else await rig.clock.advance(1_001);
    expect(await rig.ask<LeaseView>(execution.leaseState)).toMatchObject({
      state: 'free',
      takeover: { holder: 'vera', end },
    });
  });

  it('of an agent is none: motions of runs are its rank', async () => {
    const { rig, navigate } = bench();
    let news = 0;
    rig.bus.broadcast = () => void news++;
    const moved = navigate('r1');
    await turn();
    expect(news).toBe(0);
    rig.actuation.cancel('m1', 'enough');
    await moved;
  });
});

describe('the stop of a run', () => {
  it('leaves the lease and the commands of the person who took over', async () => {
    const { rig, navigate, stop, take, steer } = bench();
    const moved = navigate('r1');
    await turn();
    const { lease_id: id } = await take();
    await moved;
    const stops = rig.stops.length;
    await expect(navigate('r1')).rejects.toMatchObject({ code: 'lease.held' });
    await stop({ run: 'r1' });
    expect(rig.stops).toHaveLength(stops);
    await steer(id);
    expect(rig.steered).toEqual([[0.1, 0, id]]);
  });

  it('ends its own motion and leaves that of another run', async () => {
    const { rig, navigate, stop } = bench();
    const first = navigate('r1');
    const second = navigate('r2');
    await turn();
    await stop({ run: 'r1' });
    expect((await first).outcome).toBe('stopped');
    expect(rig.stops).toEqual([]);
    expect(rig.desk.status().lease.holder).toBe('agent');
    await stop({ run: 'r2' });
    expect((await second).outcome).toBe('stopped');
    // Nobody else commands: the robot itself is asked to stand.
    expect(rig.stops).toEqual(['test']);
  });

  it('ends a controller that it started, and not the one of another run', async () => {
    const { rig, stop } = bench();
    const told: MotionTold = { run: 'r1' };
    const policy = { role: 'policy', holder: 'policy' } as const;
    const mine = rig.actuation.move('c1', 'runtime', untilAborted, told, policy);
    const other = rig.actuation.move('c2', 'runtime', untilAborted, { run: 'r2' }, policy);
    await turn();
    await stop({ run: 'r1' });
    expect((await mine).outcome).toBe('stopped');
    expect(rig.actuation.lease.state).toBe('held');
    rig.actuation.cancel('c2', 'enough');
    await other;
  });
});

describe('a stop of everything', () => {
  it('by an agent brakes what a person steers, and leaves the lease: a new press counts again', async () => {
    const { rig, stop, take, steer } = bench();
    const { lease_id: id } = await take();
    const stands = Promise.withResolvers<void>();
    rig.onStop = () => stands.promise;
    const stopped = stop({ role: 'agent' });
    await turn();
    expect(rig.stops).toEqual(['test']);
    // Until the robot stands a command is one of before the stop.
    await expect(steer(id)).rejects.toMatchObject({ code: 'robot.preempted' });
    stands.resolve();
    await stopped;
    await expect(steer(id)).rejects.toMatchObject({ code: 'robot.preempted' });
    await rig.clock.advance(20);
    await rig.ask(execution.teleopCommand, { leaseId: id, twist: { linear: 0, angular: 0 } });
    await steer(id);
    expect(rig.steered.at(-1)).toEqual([0.1, 0, id]);
  });

  it('by a person ends the lease of central, and not that of another person', async () => {
    const { rig, stop, take } = bench();
    await take('central', 'fleet');
    await stop();
    expect(rig.desk.status().lease.state).toBe('free');
    await take();
    await stop();
    expect(rig.desk.status().lease).toMatchObject({ state: 'held', holder: 'vera' });
  });
});

it('a cell that is gone while a person steers costs the person nothing', async () => {
  const { rig, navigate, take } = bench();
  const moved = navigate('r1');
  await turn();
  await take();
  await moved;
  const stops = rig.stops.length;
  const waiting = navigate('r1').catch((error: { code: string }) => error.code);
  rig.bus.tell(TOPICS.cellState, [{ name: 'runtime', state: 'down' }] as unknown as CellReport[]);
  expect(await waiting).toBe('lease.held');
  expect(rig.stops).toHaveLength(stops);
  expect(rig.desk.status().lease.holder).toBe('vera');
});
