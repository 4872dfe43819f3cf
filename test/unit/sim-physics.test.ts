import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, type Sample } from '../../contract/index.ts';
import { decodeBool, decodeLaserScan, decodeOdometry, decodeTf, yawOf } from '../../formats/cdr/index.ts';
import { decodeAny } from '../../formats/ros2/index.ts';
import type { Arena } from '../../sim/arena.ts';
import { EPOCH_NS, LIDAR, ROBOT } from '../../sim/robot-model.ts';
import { Simulation } from '../../sim/simulation.ts';
import { corridor, Published, script } from '../support/sim-worlds.ts';

const running: Simulation[] = [];
async function simulate(seed: number, arena: Arena): Promise<Simulation> {
  const simulation = await Simulation.inArena(seed, arena);
  running.push(simulation);
  return simulation;
}
afterEach(() => {
  for (const simulation of running.splice(0)) simulation.close();
});

/** Drives for `windows` control periods of 50 ms and returns what was published. */
function drive(simulation: Simulation, windows: number, linear: number, angular = 0): Sample[] {
  const samples: Sample[] = [];
  for (let i = 0; i < windows; i++) {
    expect(simulation.command({ linear, angular })).toBeUndefined();
    samples.push(...simulation.window());
  }
  return samples;
}
const last = (samples: Sample[], topic: string) => samples.findLast((sample) => sample.topic === topic)!;

describe('the simulated robot', () => {
  it('drives straight, as far as speed and acceleration say', async () => {
    const simulation = await simulate(1, corridor(6));
    const { x, y } = simulation.truth.pose;
    drive(simulation, 100, 0.4);
    const { pose, twist } = simulation.truth;
    const wanted = 0.4 * 5 - 0.4 ** 2 / (2 * ROBOT.linearAcceleration);
    expect(Math.abs(pose.x - x - wanted) / wanted).toBeLessThan(0.01);
    expect(Math.abs(pose.y - y)).toBeLessThan(0.02);
    expect(twist.linear).toBeCloseTo(0.4, 2);
  });

  it('spins on the spot by the angle asked for', async () => {
    const simulation = await simulate(1, corridor(4));
    const { x, y } = simulation.truth.pose;
    drive(simulation, 60, 0, 1);
    const wanted = 3 - 1 / (2 * ROBOT.angularAcceleration);
    expect(Math.abs(simulation.truth.pose.yaw - wanted) / wanted).toBeLessThan(0.02);
    expect(Math.hypot(simulation.truth.pose.x - x, simulation.truth.pose.y - y)).toBeLessThan(0.01);
  });

  it('counts a bump once from touch to release, and tells how hard the hardest was', async () => {
    const simulation = await simulate(1, corridor(4));
    const samples = drive(simulation, 70, -0.1);
    expect(simulation.referee).toMatchObject({ collisions: 1, reachedExit: false });
    expect(decodeBool(last(samples, '/bumper').bytes)).toBe(true);
    expect(simulation.referee.hardestCollision).toBeCloseTo(0.1, 1);
    const away = drive(simulation, 20, 0.1);
    expect(decodeBool(last(away, '/bumper').bytes)).toBe(false);
    expect(simulation.referee.collisions).toBe(1);
    drive(simulation, 40, -0.3);
    expect(simulation.referee.collisions).toBe(2);
    expect(simulation.referee.hardestCollision).toBeGreaterThan(0.15);
  });

  it('tells when it has left the maze, at once and once a second, and where it is is inside before', async () => {
    const simulation = await simulate(1, corridor(2));
    const told = drive(simulation, 120, 0.4).filter((sample) => sample.topic === '/maze/exit_reached');
    const flips = told.map((sample) => decodeBool(sample.bytes));
    expect(flips[0]).toBe(false);
    expect(flips.at(-1)).toBe(true);
    expect(flips.indexOf(true)).toBe(flips.lastIndexOf(false) + 1);
    expect(simulation.referee).toMatchObject({ reachedExit: true, collisions: 0 });
    const whole = told.filter((sample) => (sample.stamp - EPOCH_NS) % 1_000_000_000n === 0n);
    expect(whole).toHaveLength(6);
  });

  it('brakes by itself when commands stop coming', async () => {
    const simulation = await simulate(1, corridor(6));
    drive(simulation, 40, 0.4);
    const windows = LIMITS.COMMAND_EXPIRY_MS / 50;
    for (let i = 1; i < windows; i++) simulation.window();
    expect(simulation.truth.twist.linear).toBeCloseTo(0.4, 2);
    for (let i = 0; i < 10; i++) simulation.window();
    expect(simulation.atRest).toBe(true);
    drive(simulation, 20, 0.2);
    expect(simulation.truth.twist.linear).toBeCloseTo(0.2, 2);
  });

  it('refuses commands that are not finite or above its limits; they renew nothing and are counted', async () => {
    const simulation = await simulate(1, corridor(6));
    drive(simulation, 40, 0.4);
    const refused: [number, number][] = [
      [NaN, 0],
      [0, NaN],
      [Infinity, 0],
      [0.47, 0],
      [-0.5, 0],
      [0, 1.91],
      [0, -2],
    ];
    for (let i = 0; i < 14; i++) {
      const [linear, angular] = refused[i % refused.length]!;
      expect(simulation.command({ linear, angular })).toEqual(expect.any(String));
      simulation.window();
    }
    expect(simulation.referee.refusedCommands).toBe(14);
    expect(simulation.atRest).toBe(true);
    expect(simulation.command({ linear: ROBOT.linearMax, angular: -ROBOT.angularMax })).toBeUndefined();
  });

  it('drifts by its wheels as a real one: a little, and other seeds otherwise', async () => {
    const ends: number[] = [];
    for (const seed of [1, 2]) {
      const simulation = await simulate(seed, corridor(3, 4));
      // 30 m of circles of half a metre: 75 s at 0.4 m/s.
      const samples = drive(simulation, 1_500, 0.4, 0.8);
      const odom = decodeOdometry(last(samples, '/odom').bytes);
      const believed = yawOf(odom.pose.pose.orientation);
      const { pose } = simulation.truth;
      ends.push(believed - pose.yaw);
      expect(simulation.referee.collisions).toBe(0);
      const start = simulation.arena.start;
      const drift = Math.hypot(
        odom.pose.pose.position.x - (pose.x - start.x),
        odom.pose.pose.position.y - (pose.y - start.y),
      );
      expect(drift).toBeGreaterThan(0.02);
      expect(drift).toBeLessThan(5);
    }
    expect(ends[0]).not.toBeCloseTo(ends[1]!, 3);
  });

  it('measures a straight line within three hundredths', async () => {
    const simulation = await simulate(5, corridor(10));
    const samples = drive(simulation, 300, 0.4);
    const { position } = decodeOdometry(last(samples, '/odom').bytes).pose.pose;
    const way = simulation.truth.pose.x - simulation.arena.start.x;
    expect(Math.abs(position.x - way) / way).toBeLessThan(0.03);
    expect(position.x).not.toBeCloseTo(way, 4);
  });
});

describe('what it publishes', () => {
  it('has the lidar see the walls where they are', async () => {
    const simulation = await simulate(3, corridor(5));
    drive(simulation, 30, 0.3, 0.4);
    const samples = drive(simulation, 2, 0, 0);
    const scan = decodeLaserScan(last(samples, '/scan').bytes);
    const { pose } = simulation.truth;
    expect(scan.ranges).toHaveLength(LIDAR.rays);
    expect(scan.header).toEqual({ stamp: simulation.time, frame_id: 'laser' });
    let free = 0;
    for (let i = 0; i < LIDAR.rays; i++) {
      const wanted = cast(simulation.arena, pose, scan.angle_min + i * scan.angle_increment);
      const range = scan.ranges[i]!;
      if (wanted > LIDAR.rangeMax + 0.05) {
        expect(range).toBe(Infinity);
        free++;
      } else if (wanted < LIDAR.rangeMax - 0.05)
        expect(Math.abs(range - wanted)).toBeLessThan(6 * LIDAR.noise);
    }
    expect(free).toBeLessThan(LIDAR.rays / 4);
  });

  it('comes at its rates, with the stamps of simulation time, and every message can be read by its definition', async () => {
    const simulation = await simulate(1, corridor(3));
    expect(simulation.latched().map(({ topic }) => topic)).toEqual(['/tf_static', '/maze/exit_reached']);
    const samples = drive(simulation, 40, 0.1);
    const rates: Record<string, number> = {};
    for (const sample of samples) {
      rates[sample.topic] = (rates[sample.topic] ?? 0) + 0.5;
      expect(sample.stamp).toBe(sample.received);
      expect(sample.stamp > EPOCH_NS && sample.stamp <= simulation.time).toBe(true);
      decodeAny(sample.type, sample.bytes);
    }
    // The exit is told at the first window too.
    expect(rates).toEqual({
      '/clock': 20,
      '/tf': 20,
      '/odom': 20,
      '/ground_truth/odom': 20,
      '/bumper': 20,
      '/scan': 10,
      '/maze/exit_reached': 1.5,
      '/maze/hardest_contact': 1.5,
    });
    expect(simulation.time - EPOCH_NS).toBe(2_000_000_000n);
  });

  it('joins its frames: odom to base_link as the odometry says, base_link to the lidar', async () => {
    const simulation = await simulate(1, corridor(3));
    const samples = drive(simulation, 20, 0.3, 0.2);
    const [tf] = decodeTf(last(samples, '/tf').bytes);
    const odom = decodeOdometry(last(samples, '/odom').bytes);
    expect(tf).toMatchObject({ header: { frame_id: 'odom' }, child_frame_id: 'base_link' });
    expect(tf!.transform.rotation).toEqual(odom.pose.pose.orientation);
    expect(tf!.transform.translation).toEqual(odom.pose.pose.position);
    const [mount] = decodeTf(simulation.latched()[0]!.bytes);
    expect(mount).toMatchObject({
      header: { frame_id: 'base_link' },
      child_frame_id: 'laser',
      transform: { translation: { x: ROBOT.laser.x } },
    });
  });

  it('is the same to the last byte for the same seed and commands', async () => {
    const run = async (seed: number, driver: number) => {
      const simulation = await Simulation.create(seed, { width: 4, height: 4 });
      running.push(simulation);
      const published = new Published();
      const commands = script(driver);
      for (let i = 0; i < 600; i++) {
        simulation.command(commands.next().value);
        for (const sample of simulation.window()) published.add(sample);
      }
      return { digest: published.digest(), bumps: simulation.referee.collisions };
    };
    const first = await run(11, 1);
    expect(first.bumps).toBeGreaterThan(0);
    expect(await run(11, 1)).toEqual(first);
    expect((await run(12, 1)).digest).not.toBe(first.digest);
    expect((await run(11, 2)).digest).not.toBe(first.digest);
  });
});

/** True distance of one ray in the plane, by another way than the engine's: slabs of boxes. */
function cast(arena: Arena, pose: { x: number; y: number; yaw: number }, bearing: number): number {
  const { laser } = ROBOT;
  const x = pose.x + laser.x * Math.cos(pose.yaw);
  const y = pose.y + laser.x * Math.sin(pose.yaw);
  const dx = Math.cos(pose.yaw + laser.yaw + bearing);
  const dy = Math.sin(pose.yaw + laser.yaw + bearing);
  let nearest = Infinity;
  for (const wall of arena.walls) {
    const tx = [(wall.x - wall.halfX - x) / dx, (wall.x + wall.halfX - x) / dx].sort((a, b) => a - b) as [
      number,
      number,
    ];
    const ty = [(wall.y - wall.halfY - y) / dy, (wall.y + wall.halfY - y) / dy].sort((a, b) => a - b) as [
      number,
      number,
    ];
    const enter = Math.max(tx[0], ty[0]);
    if (enter > 0 && enter <= Math.min(tx[1], ty[1])) nearest = Math.min(nearest, enter);
  }
  return nearest;
}
