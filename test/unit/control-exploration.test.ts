import { describe, expect, it } from 'vitest';
import { CORE_DEFAULTS, ControlCore, type TickResult } from '../../daemon/execution/control/control-core.ts';
import { CONTROL_DEFAULTS } from '../../daemon/execution/control/control-loop.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import { mapCoverage } from '../../daemon/execution/navigation/coverage.ts';
import { encodeBool, encodeLaserScan, LASER_SCAN } from '../../formats/cdr/index.ts';
import { FlatWorld, mazeWalls, type Wall } from '../fakes/flat-world.ts';
import { explore, step, until } from '../fakes/frontier-explorer.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const CELLS = 5;
const PITCH = 0.8;

function world(seed: number, walls: readonly Wall[] = mazeWalls(seed, CELLS)): FlatWorld {
  return new FlatWorld({ walls, start: { x: 0.4, y: 0.4, yaw: (seed % 4) * (Math.PI / 2) }, seed });
}

function robot(): ControlCore {
  const options = { ...CORE_DEFAULTS, control: { ...CONTROL_DEFAULTS, lockstep: true } };
  return new ControlCore(new PursuitPolicy(), new ManualClock(), options);
}

/** Steps until the robot knows where it is and holds. */
async function ready(flat: FlatWorld, core: ControlCore): Promise<void> {
  for (let i = 0; i < 100; i++) if (await step(flat, core)) return;
  throw new Error('never localised');
}

const goal = (x: number, y: number) => ({ pose: { x, y, yaw: 0 }, tolerance: 0.2, timeoutMs: 120_000 });

describe('exploring a maze', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'maps all of maze %i without touching a wall, and knows where it is',
    async (seed) => {
      const flat = world(seed);
      const result = await explore(flat, robot(), { maxSeconds: 400 });
      expect(result.done).toBe(true);
      expect(result.contacts).toBe(0);
      // The disc of the robot keeps air to every wall, and the map keeps to the truth although odometry does not.
      expect(result.clearanceMin).toBeGreaterThan(0.02);
      expect(result.errorMax).toBeLessThan(0.06);
      expect(result.errorYawMax).toBeLessThan(0.04);
      const floor = (CELLS * PITCH) ** 2;
      expect(result.known).toBeGreaterThan(0.8 * floor);
      expect(result.known).toBeLessThan(floor);
    },
  );

  it('corrects odometry that is off by far more than a wheel ever is', async () => {
    const flat = new FlatWorld({
      walls: mazeWalls(11, CELLS),
      start: { x: 0.4, y: 0.4, yaw: 0 },
      seed: 11,
      odometryScale: 0.05,
      odometryNoise: 0.05,
    });
    const result = await explore(flat, robot(), { maxSeconds: 400 });
    expect(result.done).toBe(true);
    expect(result.odometryError).toBeGreaterThan(0.3);
    expect(result.errorMax).toBeLessThan(0.1);
    expect(result.contacts).toBe(0);
  });

  it('does the same again, bit for bit', async () => {
    const record = async () => {
      const flat = world(7);
      const core = robot();
      const commands: TickResult[] = [];
      const tick = core.tick.bind(core);
      core.tick = async (time) => {
        const result = await tick(time);
        commands.push(result);
        return result;
      };
      await explore(flat, core, { maxSeconds: 60 });
      return { commands, map: core.map(), state: core.state() };
    };
    expect(await record()).toEqual(await record());
  });
});

const ROOM: Wall[] = [
  [0, 0, 4, 0],
  [0, 0, 0, 3],
  [4, 0, 4, 3],
  [0, 3, 4, 3],
];

describe('the robot behind its port', () => {
  it('knows map and pose before anybody asks for a motion, then holds', async () => {
    const flat = world(1, ROOM);
    const core = robot();
    expect(core.map()).toBeUndefined();
    expect(core.state().pose).toBeUndefined();
    await ready(flat, core);
    expect(Number(flat.time) / 1e9).toBeLessThan(1);
    expect(core.state().pose).toBeDefined();
    expect(mapCoverage(core.map()!).share).toBeGreaterThan(0.5);
    expect(core.holding).toBe(true);
    void core.navigate('a', goal(1, 1));
    expect(core.holding).toBe(false);
  });

  it('gives the base free once it has stood idle for a while', async () => {
    const flat = world(1, ROOM);
    const core = robot();
    await ready(flat, core);
    for (let i = 0; i < 20; i++) await step(flat, core);
    const sent = [];
    for (let i = 0; i < 5; i++) {
      for (const sample of flat.advance()) core.onSample(sample);
      sent.push((await core.tick(flat.time)).command);
    }
    expect(sent).toEqual([undefined, undefined, undefined, undefined, undefined]);
  });

  it('reaches a goal, aligned when asked to be, and stands', async () => {
    const flat = world(4, ROOM);
    const core = robot();
    await ready(flat, core);
    const request = core.navigate('a', {
      ...goal(2.4, 1.2),
      pose: { x: 2.4, y: 1.2, yaw: -2 },
      alignYaw: true,
    });
    const result = await until(flat, core, request);
    expect(result.outcome).toBe('reached');
    const truth = flat.truth();
    expect(Math.hypot(truth.x - 2.4, truth.y - 1.2)).toBeLessThan(0.22);
    expect(Math.abs(truth.yaw + 2)).toBeLessThan(0.2);
    expect(Math.abs(flat.twist.linear) + Math.abs(flat.twist.angular)).toBeLessThan(0.05);
    expect(result.distance).toBeGreaterThan(2);
  });

  it('goes around a wall that it could not see from the start', async () => {
    const flat = world(4, [...ROOM, [2, 0, 2, 2.2], [2.05, 1, 3, 1]]);
    const core = robot();
    await ready(flat, core);
    const result = await until(flat, core, core.navigate('a', goal(2.4, 0)));
    expect(result.outcome).toBe('reached');
    expect(flat.contacts).toBe(0);
  });

  it('says no_path for a place that is walled in, standing', async () => {
    const box: Wall[] = [
      [2.2, 1, 3.4, 1],
      [2.2, 1, 2.2, 2],
      [3.4, 1, 3.4, 2],
      [2.2, 2, 3.4, 2],
    ];
    const flat = world(4, [...ROOM, ...box]);
    const core = robot();
    await ready(flat, core);
    const result = await until(flat, core, core.navigate('a', goal(2.4, 1.1)));
    expect(result.outcome).toBe('no_path');
    expect(flat.contacts).toBe(0);
  });

  it('drives around somebody who steps into the way, and forgets them when they left', async () => {
    const walls: Wall[] = [...ROOM];
    const flat = new FlatWorld({ walls, start: { x: 0.4, y: 1.5, yaw: 0 }, seed: 3 });
    const core = robot();
    await ready(flat, core);
    const motion = core.navigate('a', goal(3, 0));
    for (let i = 0; i < 30; i++) await step(flat, core);
    flat.setWalls([
      ...ROOM,
      [1.9, 1.3, 1.9, 1.7],
      [2.2, 1.3, 2.2, 1.7],
      [1.9, 1.3, 2.2, 1.3],
      [1.9, 1.7, 2.2, 1.7],
    ]);
    expect((await until(flat, core, motion)).outcome).toBe('reached');
    expect(flat.contacts).toBe(0);
    flat.setWalls(ROOM);
    await until(flat, core, core.maneuver('s', { kind: 'spin', angle: 6.3 }));
    await until(flat, core, core.maneuver('w', { kind: 'wait', durationMs: 12_000 }));
    const map = core.map()!;
    const column = Math.floor((1.65 - map.origin.x) / map.resolution);
    const row = Math.floor((0 - map.origin.y) / map.resolution);
    expect(map.cells[row * map.width + column]).toBe(0);
  });

  it('finds itself again after being pushed while it stood', async () => {
    const flat = world(4, [...ROOM, [2, 0, 2, 1.2], [3, 2, 3, 3]]);
    const core = robot();
    await ready(flat, core);
    await until(flat, core, core.navigate('a', goal(0.6, 1.2)));
    // Odometry does not notice.
    flat.pose = { x: flat.pose.x + 0.25, y: flat.pose.y - 0.15, yaw: flat.pose.yaw + 0.3 };
    await until(flat, core, core.maneuver('w', { kind: 'wait', durationMs: 2_000 }));
    const { pose } = core.state();
    const truth = flat.truth();
    expect(Math.hypot(pose!.x - truth.x, pose!.y - truth.y)).toBeLessThan(0.06);
    expect(Math.abs(pose!.yaw - truth.yaw)).toBeLessThan(0.05);
  });

  it('stops when the lidar falls silent, and goes on when it speaks again', async () => {
    const flat = world(4, ROOM);
    const core = robot();
    await ready(flat, core);
    const motion = core.navigate('a', goal(3, 1.5));
    for (let i = 0; i < 40; i++) await step(flat, core);
    expect(flat.twist.linear).toBeGreaterThan(0.1);
    for (let i = 0; i < 30; i++) {
      for (const sample of flat.advance()) if (sample.topic !== '/scan') core.onSample(sample);
      flat.command = (await core.tick(flat.time)).command ?? flat.command;
    }
    expect(flat.twist.linear).toBe(0);
    expect(core.counts.stale).toBeGreaterThan(10);
    expect((await until(flat, core, motion)).outcome).toBe('reached');
  });

  it('counts bumps from touch to release, tells signals, and survives broken messages', async () => {
    const flat = world(4, ROOM);
    const core = robot();
    await ready(flat, core);
    const bool = (topic: string, value: boolean) =>
      core.onSample({
        topic,
        type: 'std_msgs/msg/Bool',
        stamp: flat.time,
        received: flat.time,
        bytes: encodeBool(value),
      });
    for (const pressed of [true, true, false, true, false]) bool('/bumper', pressed);
    bool('/maze/exit_reached', true);
    expect(core.state().bumps).toBe(2);
    expect(core.state().signals).toEqual({ '/maze/exit_reached': true });
    for (const topic of ['/scan', '/odom', '/bumper']) {
      const type = topic === '/scan' ? LASER_SCAN : 'nav_msgs/msg/Odometry';
      core.onSample({ topic, type, stamp: 0n, received: 0n, bytes: new Uint8Array([0, 1, 0, 0, 9]) });
    }
    expect(core.counts.malformed).toBe(2);
    const pose = core.state().pose!;
    core.onSample({
      topic: '/scan',
      type: LASER_SCAN,
      stamp: 0n,
      received: 0n,
      bytes: nanScan(flat.time + 1n),
    });
    await step(flat, core);
    expect(core.state().pose!.x).toBeCloseTo(pose.x, 2);
  });

  it('begins anew when the robot does: motions are answered, map and pose are of the new run', async () => {
    const core = robot();
    const first = world(4, ROOM);
    await ready(first, core);
    await until(first, core, core.navigate('a', goal(2, 1)));
    const motion = core.navigate('b', goal(0, 0));
    const second = world(4, ROOM);
    for (let i = 0; i < 20; i++) await step(second, core);
    expect(await motion).toMatchObject({ outcome: 'stopped', message: 'the robot restarted' });
    const { x, y } = core.state().pose!;
    expect(Math.hypot(x, y)).toBeLessThan(0.05);
    expect((await until(second, core, core.navigate('c', goal(1, 1)))).outcome).toBe('reached');
  });
});

/** A scan of which every ray is NaN, as a lidar gives while it spins up. */
function nanScan(stamp: bigint): Uint8Array {
  return encodeLaserScan({
    header: { stamp, frame_id: 'laser' },
    angle_min: 0,
    angle_max: 6.2,
    angle_increment: 0.0175,
    time_increment: 0,
    scan_time: 0.1,
    range_min: 0.12,
    range_max: 8,
    ranges: new Float32Array(360).fill(Number.NaN),
    intensities: new Float32Array(0),
  });
}
