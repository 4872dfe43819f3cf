import { describe, expect, it } from 'vitest';
import { RosRobot } from '../../adapters/ros/ros-robot.ts';
import type { Sample, SampleSink, TopicSpec } from '../../contract/index.ts';
import { decodeTwist, encodeOdometry, ODOMETRY, quaternionOfYaw, TWIST } from '../../formats/cdr/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STEP_MS = 50;

/** A base that does what it is told, and tells its odometry as a sample. */
class FakeBase implements SampleSink {
  readonly commands: { linear: number; angular: number }[] = [];
  topic: TopicSpec | undefined;
  pose = { x: 1, y: 2, yaw: 0.7 };
  blocked = false;
  silent = false;
  readonly #clock: ManualClock;
  robot!: RosRobot;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  get current() {
    return this.commands.at(-1) ?? { linear: 0, angular: 0 };
  }

  async advertise(topic: TopicSpec): Promise<void> {
    this.topic = topic;
  }

  offer(sample: Sample): boolean {
    expect(sample.topic).toBe('/cmd_vel');
    const { linear, angular } = decodeTwist(sample.bytes);
    this.commands.push({ linear: linear.x, angular: angular.z });
    return true;
  }

  async close(): Promise<void> {}

  /** Lets time pass; promises of the robot settle in between. */
  async run(ms: number): Promise<void> {
    for (let at = 0; at < ms; at += STEP_MS) {
      await this.#clock.advance(STEP_MS);
      if (!this.blocked) {
        const { linear, angular } = this.current;
        this.pose.yaw += (angular * STEP_MS) / 1_000;
        this.pose.x += (linear * Math.cos(this.pose.yaw) * STEP_MS) / 1_000;
        this.pose.y += (linear * Math.sin(this.pose.yaw) * STEP_MS) / 1_000;
      }
      if (!this.silent) this.tell();
      for (let i = 0; i < 8; i += 1) await Promise.resolve();
    }
  }

  tell(): void {
    const zeros = new Float64Array(36);
    const { linear, angular } = this.current;
    const bytes = encodeOdometry({
      header: { stamp: this.#clock.now(), frame_id: 'odom' },
      child_frame_id: 'base_link',
      pose: {
        pose: {
          position: { x: this.pose.x, y: this.pose.y, z: 0 },
          orientation: quaternionOfYaw(this.pose.yaw),
        },
        covariance: zeros,
      },
      twist: {
        twist: { linear: { x: linear, y: 0, z: 0 }, angular: { x: 0, y: 0, z: angular } },
        covariance: zeros,
      },
    });
    const now = this.#clock.now();
    this.robot.observe({ topic: '/odom', type: ODOMETRY, stamp: now, received: now, bytes });
  }
}

async function made(options = {}) {
  const clock = new ManualClock();
  const base = new FakeBase(clock);
  const robot = new RosRobot(base, clock, options);
  base.robot = robot;
  await robot.start();
  await base.run(100);
  return { clock, base, robot };
}

describe('a robot over velocity topics', () => {
  it('tells its state from odometry, and no pose in a map that it does not have', async () => {
    const { base, robot } = await made();
    expect(base.topic).toMatchObject({ topic: '/cmd_vel', type: TWIST });
    expect(await robot.state()).toMatchObject({
      pose: undefined,
      connected: true,
      motion: 'idle',
      distance: 0,
    });
    expect(await robot.map()).toBeUndefined();
    base.silent = true;
    await base.run(1_200);
    expect((await robot.state()).connected).toBe(false);
    const mapped = await made({ odometryIsMap: true });
    expect((await mapped.robot.state()).pose!.yaw).toBeCloseTo(0.7, 9);
  });

  it.each([0.5, -0.3])('drives %f m and stands still before it answers', async (distance) => {
    const { base, robot } = await made();
    const from = { ...base.pose };
    const moving = robot.maneuver({ kind: 'drive', distance });
    await base.run(8_000);
    const result = await moving;
    expect(result.outcome).toBe('reached');
    const along = (base.pose.x - from.x) * Math.cos(from.yaw) + (base.pose.y - from.y) * Math.sin(from.yaw);
    expect(along).toBeCloseTo(distance, 1);
    expect(Math.abs(along - distance)).toBeLessThan(0.03);
    expect(base.current).toEqual({ linear: 0, angular: 0 });
    expect((await robot.state()).motion).toBe('idle');
  });

  it.each([Math.PI / 2, -Math.PI, 3 * Math.PI])('spins by %f rad, full turns included', async (angle) => {
    const { base, robot } = await made();
    const from = base.pose.yaw;
    const moving = robot.maneuver({ kind: 'spin', angle });
    await base.run(25_000);
    expect((await moving).outcome).toBe('reached');
    expect(Math.abs(base.pose.yaw - from - angle)).toBeLessThan(0.08);
  });

  it('gives up when nothing moves, and when odometry falls silent', async () => {
    const { base, robot } = await made();
    base.blocked = true;
    const stuck = robot.maneuver({ kind: 'drive', distance: 1 });
    await base.run(4_000);
    expect(await stuck).toMatchObject({ outcome: 'stuck' });
    expect(base.current).toEqual({ linear: 0, angular: 0 });
    base.blocked = false;
    const blind = robot.maneuver({ kind: 'drive', distance: 1 });
    base.silent = true;
    await base.run(1_500);
    expect(await blind).toMatchObject({ outcome: 'stuck', message: 'odometry fell silent' });
    expect(base.current).toEqual({ linear: 0, angular: 0 });
    await expect(robot.maneuver({ kind: 'drive', distance: 1 })).rejects.toMatchObject({
      code: 'robot.unreachable',
    });
  });

  it('stops at once, by stop, by the signal, and by a new motion, which the old one settles before', async () => {
    const { base, robot } = await made();
    const first = robot.maneuver({ kind: 'drive', distance: 2 });
    await base.run(300);
    expect(base.current.linear).toBeGreaterThan(0);
    await robot.stop('test');
    expect(base.current).toEqual({ linear: 0, angular: 0 });
    expect(await first).toMatchObject({ outcome: 'stopped' });
    expect((await robot.state()).motion).toBe('stopped');

    const abort = new AbortController();
    const second = robot.maneuver({ kind: 'drive', distance: 2 }, abort.signal);
    await base.run(300);
    abort.abort('cancelled');
    expect(await second).toMatchObject({ outcome: 'stopped', message: 'cancelled' });
    expect(base.current).toEqual({ linear: 0, angular: 0 });

    const third = robot.maneuver({ kind: 'drive', distance: 2 });
    await base.run(300);
    const fourth = robot.maneuver({ kind: 'wait', durationMs: 500 });
    expect(await third).toMatchObject({ outcome: 'preempted' });
    await base.run(1_000);
    expect(await fourth).toMatchObject({ outcome: 'reached' });
  });

  it('cannot navigate, keeps signals, and ignores what is malformed', async () => {
    const { clock, robot } = await made();
    const goal = { pose: { x: 0, y: 0, yaw: 0 }, tolerance: 0.1, timeoutMs: 1_000 };
    await expect(robot.navigate(goal)).rejects.toMatchObject({ code: 'robot.not_supported' });
    const at = { stamp: clock.now(), received: clock.now() };
    robot.observe({
      topic: '/docked',
      type: 'std_msgs/msg/Bool',
      ...at,
      bytes: Uint8Array.of(0, 1, 0, 0, 1),
    });
    robot.observe({ topic: '/docked', type: 'std_msgs/msg/Bool', ...at, bytes: Uint8Array.of(0, 1) });
    robot.observe({ topic: '/odom', type: ODOMETRY, ...at, bytes: Uint8Array.of(0, 1, 0, 0) });
    expect((await robot.state()).signals).toEqual({ '/docked': true });
  });
});
