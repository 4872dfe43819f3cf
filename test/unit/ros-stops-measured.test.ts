import { describe, expect, it } from 'vitest';
import { TrajectoryArm } from '../../adapters/ros/arm/trajectory-arm.ts';
import { NavRobot } from '../../adapters/ros/nav2/nav-robot.ts';
import { DEFAULT_QOS, LIMITS, NOT_CONFIRMED } from '../../contract/index.ts';
import { TWIST } from '../../formats/cdr/index.ts';
import { FakeArm } from '../fakes/fake-arm.ts';
import { FakeNav2 } from '../fakes/fake-nav2.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryRos } from '../fakes/memory-ros.ts';

/** Stops of robots over ROS are answered when they are measured to stand, or say that nobody measured it. */

async function armed() {
  const clock = new ManualClock();
  const ros = new MemoryRos(clock);
  const fake = new FakeArm(ros, clock, 'control_msgs/action/GripperCommand');
  const robot = new TrajectoryArm(
    { clock, ...ros },
    {
      ...{ controller: '/arm/follow', gripper: '/gripper', gripperJoint: '' },
      ...{ joints: FakeArm.JOINTS, jointStates: '/joint_states' },
    },
  );
  fake.emit = (sample) => robot.observe(sample);
  await fake.run(200);
  const POINTS = [{ positions: { shoulder: 3, elbow: 3 }, timeFromStartMs: 6_000 }];
  const place = () => fake.positions[0]!;
  return { clock, ros, fake, robot, move: () => robot.followTrajectory(POINTS), place };
}

async function based() {
  const clock = new ManualClock();
  const ros = new MemoryRos(clock);
  const fake = new FakeNav2(ros, clock);
  const robot = new NavRobot(
    { clock, sink: fake, ...ros },
    {
      ...{ namespace: '', mapFrame: 'map' },
      topics: { odometry: '/odom', tf: '/tf', map: '/map', pose: '/amcl_pose' },
      velocity: { topic: '/cmd_vel', type: TWIST, qos: DEFAULT_QOS },
    },
  );
  fake.emit = (sample) => robot.observe(sample);
  await fake.run(2_000);
  const goal = { tolerance: 0.25, timeoutMs: 60_000, pose: { x: 7, y: 2, yaw: 0 } };
  return { clock, ros, fake, robot, move: () => robot.navigate(goal), place: () => fake.pose.x };
}

type Told = { readonly atMs: number; readonly error: unknown };

/** When it was answered, and with what. */
function told(clock: ManualClock, stop: Promise<unknown>): Promise<Told> {
  return stop.then(
    () => ({ atMs: clock.monotonicMs(), error: undefined }),
    (error: unknown) => ({ atMs: clock.monotonicMs(), error }),
  );
}

const UNCONFIRMED = { code: 'robot.unreachable', message: expect.stringContaining(NOT_CONFIRMED) };

for (const [name, make] of [
  ['an arm behind ros2_control', armed],
  ['a base with Nav2', based],
] as const) {
  /** The same two kinds of robot by one shape: what is asked of them here is the same. */
  const made = async () => {
    const rig = await (make as typeof armed)();
    const coasts = (ms: number) => {
      if (rig.fake instanceof FakeArm) rig.fake.coastMs = ms;
      else (rig.fake as FakeNav2).deceleration = 0.4 / (ms / 1_000);
    };
    return { ...rig, coasts };
  };

  describe(`a stop of ${name}`, () => {
    it.each(['idle', 'moving'] as const)(
      'is not confirmed where measurements are silent, %s',
      async (state) => {
        const { clock, fake, robot, move } = await made();
        const motion = state === 'moving' ? move() : undefined;
        await fake.run(1_000);
        fake.silent = true;
        const askedMs = clock.monotonicMs();
        const stop = told(clock, robot.stop('now'));
        await fake.run(LIMITS.ROBOT_STOP_MS);
        const { atMs, error } = await stop;
        expect(error).toMatchObject(UNCONFIRMED);
        expect(atMs - askedMs).toBeGreaterThanOrEqual(LIMITS.STILL_WAIT_MS);
        expect(atMs - askedMs).toBeLessThan(LIMITS.ROBOT_STOP_MS);
        if (motion) expect((await motion).message).toContain(NOT_CONFIRMED);
      },
    );

    it('is not confirmed by one measurement that is repeated', async () => {
      const { clock, fake, robot } = await made();
      fake.repeats = true;
      const stop = told(clock, robot.stop('now'));
      await fake.run(LIMITS.ROBOT_STOP_MS);
      expect((await stop).error).toMatchObject(UNCONFIRMED);
    });

    it('is answered after it came to rest, however long that takes within the bound', async () => {
      const { clock, fake, robot, move, place, coasts } = await made();
      coasts(1_500);
      const motion = move();
      await fake.run(1_500);
      const askedMs = clock.monotonicMs();
      const stop = robot.stop('now');
      let placeThen = Number.NaN;
      const answered = told(
        clock,
        stop.then(() => (placeThen = place())),
      );
      await fake.run(LIMITS.ROBOT_STOP_MS);
      const { atMs, error } = await answered;
      expect(error).toBeUndefined();
      expect(atMs - askedMs).toBeGreaterThan(1_300);
      expect(Math.abs(place() - placeThen)).toBeLessThan(0.001);
      const { outcome, message } = await motion;
      expect(outcome).toBe('stopped');
      expect(message).not.toContain(NOT_CONFIRMED);
    });

    it('is not confirmed where it rolls on beyond the bound; the next stop is, when it stands', async () => {
      const { clock, fake, robot, move, coasts } = await made();
      coasts(5_000);
      const motion = move();
      await fake.run(1_500);
      const first = told(clock, robot.stop('now'));
      await fake.run(LIMITS.ROBOT_STOP_MS);
      expect((await first).error).toMatchObject(UNCONFIRMED);
      expect((await motion).message).toContain(NOT_CONFIRMED);
      const second = told(clock, robot.stop('again'));
      await fake.run(2_000);
      expect((await second).error).toBeUndefined();
    });

    it('lets the next motion begin only when the one before it is measured to stand', async () => {
      const { fake, move, place, coasts } = await made();
      coasts(1_500);
      const first = move();
      await fake.run(1_500);
      const goals = fake.accepted.length;
      const second = move();
      let restedAt = Number.NaN;
      void first.then(() => {
        restedAt = place();
      });
      await fake.run(1_200);
      expect(fake.accepted).toHaveLength(goals);
      const rolling = place();
      await fake.run(1_000);
      expect(await first).toMatchObject({ outcome: 'preempted' });
      expect(restedAt).toBeGreaterThan(rolling);
      expect(fake.accepted).toHaveLength(goals + 1);
      void second.catch(() => {});
    });

    it('does not count what was measured before its servers had heard of it', async () => {
      const { clock, ros, fake, robot } = await made();
      // It stands, and a goal of somebody else begins to move only now: nothing has answered yet.
      for (const action of ['/arm/follow', '/navigate_to_pose']) ros.deaf.add(action);
      const askedMs = clock.monotonicMs();
      const stop = told(clock, robot.stop('now'));
      await fake.run(2_000);
      const { atMs, error } = await stop;
      expect(error).toBeUndefined();
      expect(atMs - askedMs).toBeGreaterThan(480);
    });
  });
}
