import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { Clock, EdgeError, Policy } from '../../contract/index.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { RestingPolicy } from '../../daemon/execution/control/resting-policy.ts';
import { FlatRobot } from '../fakes/flat-robot.ts';
import { FlatWorld } from '../fakes/flat-world.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const GOAL = { pose: { x: 0.6, y: 0, yaw: 0 }, tolerance: 0.1, timeoutMs: 60_000, alignYaw: false };
const BACK = { ...GOAL, pose: { x: 0.1, y: 0, yaw: 0 } };
const MINUTE_MS = 60_000;
const system = new SystemClock();
let robot: FlatRobot | undefined;
afterEach(async () => {
  await robot?.close();
});

/** A network that loads when the test says so. */
class Network extends PursuitPolicy {
  isOpen = true;
  override async close(): Promise<void> {
    this.isOpen = false;
  }
}

async function setup(clock: Clock = system) {
  const loads: PromiseWithResolvers<Policy>[] = [];
  const faults: (string | undefined)[] = [];
  const policy = new RestingPolicy({
    clock,
    description: { ...new PursuitPolicy().describe(), name: 'network' },
    load() {
      const asked = Promise.withResolvers<Policy>();
      loads.push(asked);
      return asked.promise;
    },
    standIn: new PursuitPolicy(),
  });
  const world = new FlatWorld();
  const ready = (fault: EdgeError | undefined) => void faults.push(fault?.message);
  robot = new FlatRobot(world, system, policy, ready, clock);
  await robot.ready();
  const { client } = robot;
  const moved = async () => (await client.state()).distance;
  /** Until the control thread has asked for the policy so many times. */
  const asked = async (count: number) => {
    while (loads.length < count) await new Promise((resolve) => setImmediate(resolve));
    return loads[count - 1]!;
  };
  return { client, loads, faults, policy, world, moved, asked };
}

describe('a robot whose policy rests', () => {
  it('loads it for a motion: the robot stands until then, and its motion does not starve', async () => {
    const { client, loads, world, moved, asked } = await setup();
    expect(client.status.policy).toBe('network');
    expect(loads).toHaveLength(0);
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    await client.state();
    const before = world.time;
    expect(await moved()).toBe(0);
    load.resolve(new Network());
    expect(await motion).toMatchObject({ outcome: 'reached' });
    // Time of the simulation stood while the policy was loaded.
    expect(world.time).toBeGreaterThan(before);
    expect(client.status.starved).toBe(0);
    expect(await client.navigate(BACK)).toMatchObject({ outcome: 'reached' });
    expect(loads).toHaveLength(1);
  });

  it('stopped meanwhile, the motion ends before it has started', async () => {
    const { client, moved, asked } = await setup();
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    await client.stop('a person stopped it');
    expect(await motion).toMatchObject({ outcome: 'stopped' });
    load.resolve(new Network());
    await client.state();
    expect(await moved()).toBe(0);
    expect((await client.state()).motion).toBe('stopped');
  });

  it('cancelled meanwhile, the motion ends before it has started, and the one after it drives', async () => {
    const { client, moved, asked } = await setup();
    const cancel = new AbortController();
    const motion = client.navigate(GOAL, cancel.signal);
    const load = await asked(1);
    cancel.abort('not needed');
    expect(await motion).toMatchObject({ outcome: 'stopped' });
    expect(await moved()).toBe(0);
    const next = client.navigate(GOAL);
    load.resolve(new Network());
    expect(await next).toMatchObject({ outcome: 'reached' });
  });

  it('a robot that restarts meanwhile does not drive to a goal in the map before', async () => {
    const { client, world, asked } = await setup();
    await client.maneuver({ kind: 'spin', angle: 3 });
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    const anew = new FlatWorld();
    for (let i = 0; i < 20; i++) for (const sample of anew.advance()) client.offer(sample);
    expect(await motion).toMatchObject({ outcome: 'stopped', message: 'the robot restarted' });
    load.resolve(new Network());
    await client.state();
    expect(world.driven).toBeLessThan(0.01);
  });

  it('a motion that needs no policy does not wait, and ends the one that does', async () => {
    const { client, asked } = await setup();
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    const turned = client.maneuver({ kind: 'spin', angle: 0.5 });
    expect(await turned).toMatchObject({ outcome: 'reached' });
    expect((await motion).outcome).not.toBe('reached');
    load.resolve(new Network());
  });

  it('where it cannot be loaded the stand-in drives, and that is said; after a rest it is tried again', async () => {
    const clock = new ManualClock();
    const { client, faults, asked } = await setup(clock);
    const motion = client.navigate(GOAL);
    (await asked(1)).reject(new Error('the runtime is missing'));
    expect(await motion).toMatchObject({ outcome: 'reached' });
    expect(faults).toEqual([undefined, 'the runtime is missing']);
    await clock.advance(5 * MINUTE_MS);
    const again = client.navigate(BACK);
    (await asked(2)).resolve(new Network());
    expect(await again).toMatchObject({ outcome: 'reached' });
    expect(faults).toEqual([undefined, 'the runtime is missing', undefined]);
  });

  it('where loading hangs the stand-in drives, and what comes later is closed', async () => {
    const clock = new ManualClock();
    const { client, faults, asked } = await setup(clock);
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    await clock.advance(31_000);
    expect(await motion).toMatchObject({ outcome: 'reached' });
    expect(faults.at(-1)).toContain('no answer within');
    const network = new Network();
    load.resolve(network);
    await client.state();
    expect(network.isOpen).toBe(false);
  });

  it('lets go of it three minutes after the last motion, and not while one runs', async () => {
    const clock = new ManualClock();
    const { client, policy, asked } = await setup(clock);
    const network = new Network();
    const motion = client.navigate(GOAL);
    const load = await asked(1);
    await clock.advance(20_000);
    load.resolve(network);
    expect(await motion).toMatchObject({ outcome: 'reached' });
    expect(network.isOpen).toBe(true);
    await clock.advance(2 * MINUTE_MS);
    expect([policy.isAwake, network.isOpen]).toEqual([true, true]);
    await clock.advance(2 * MINUTE_MS);
    expect([policy.isAwake, network.isOpen]).toEqual([false, false]);
  });
});
