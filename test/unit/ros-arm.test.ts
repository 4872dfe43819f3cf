import { describe, expect, it } from 'vitest';
import { TrajectoryArm } from '../../adapters/ros/arm/trajectory-arm.ts';
import { encodeJointState, JOINT_STATE } from '../../formats/cdr/index.ts';
import { manipulatorConformance } from '../conformance/manipulator.ts';
import { FakeArm } from '../fakes/fake-arm.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryRos } from '../fakes/memory-ros.ts';

const GRIPPER = 'control_msgs/action/GripperCommand';
const PARALLEL = 'control_msgs/action/ParallelGripperCommand';

async function made(gripperType = GRIPPER, gripper = '/gripper') {
  const clock = new ManualClock();
  const ros = new MemoryRos(clock);
  const fake = new FakeArm(ros, clock, gripperType);
  const arm = new TrajectoryArm(
    { clock, ...ros },
    {
      controller: '/arm/follow',
      gripper,
      gripperJoint: 'finger',
      joints: FakeArm.JOINTS,
      jointStates: '/joint_states',
    },
  );
  fake.emit = (sample) => arm.observe(sample);
  await fake.run(200);
  return { clock, ros, fake, arm };
}

for (const type of [GRIPPER, PARALLEL]) {
  manipulatorConformance(`TrajectoryArm with ${type}`, async () => {
    const { fake, arm } = await made(type);
    void fake.live();
    return {
      arm,
      joints: FakeArm.JOINTS,
      turn: () => new Promise((resolve) => setImmediate(resolve)),
      close: async () => {
        await arm.close();
        fake.close();
      },
    };
  });
}

const POINTS = [{ positions: { shoulder: 1, elbow: 0.5 }, timeFromStartMs: 5_000 }];

describe('an arm behind ros2_control', () => {
  it.each([
    [{ status: 'aborted', result: { error_code: -4, error_string: 'too far' } }, 'stuck', 'too far'],
    [{ status: 'aborted', result: { error_code: -5 } }, 'stuck', 'did not arrive'],
    [{ status: 'aborted', result: { error_code: -2 } }, 'no_path', 'other joints'],
    [{ status: 'canceled', result: {} }, 'preempted', 'another client'],
  ] as const)('tells %o as %s', async (fails, outcome, message) => {
    const { fake, arm } = await made();
    fake.fails = fails;
    const motion = arm.followTrajectory(POINTS);
    await fake.run(2_000);
    expect(await motion).toMatchObject({ outcome, message: expect.stringContaining(message) });
  });

  it('gives each gripper the command of its action, and holds a thing with either', async () => {
    const one = await made(GRIPPER);
    const open = one.arm.gripper(0.05, 12);
    await one.fake.run(500);
    expect(await open).toMatchObject({ outcome: 'reached' });
    expect(one.fake.accepted.at(-1)!.goal).toEqual({ command: { position: 0.05, max_effort: 12 } });
    const two = await made(PARALLEL);
    two.fake.fails = { status: 'aborted', result: { stalled: true, reached_goal: false } };
    const close = two.arm.gripper(0, 12);
    await two.fake.run(500);
    expect(await close).toMatchObject({ outcome: 'reached', message: 'it holds something' });
    const command = { name: ['finger'], position: [0], effort: [12] };
    expect(two.fake.accepted.at(-1)!.goal).toEqual({ command });
    const none = await made(GRIPPER, '');
    await expect(none.arm.gripper(0, 1)).rejects.toMatchObject({ code: 'robot.not_supported' });
  });

  it('is not asked when joint states are missing, and ends a motion when they fall silent', async () => {
    const { fake, arm } = await made();
    const motion = arm.followTrajectory(POINTS);
    await fake.run(500);
    fake.silent = true;
    await fake.run(5_000);
    expect(await motion).toMatchObject({
      outcome: 'stuck',
      message: expect.stringContaining('stopped arriving'),
    });
    expect((await arm.state()).connected).toBe(false);
    await expect(arm.followTrajectory(POINTS)).rejects.toMatchObject({ code: 'robot.unreachable' });
  });

  it('gives up when its time is over, cancels, and says when a stop was not obeyed', async () => {
    const { ros, fake, arm } = await made();
    ros.deaf.add('/arm/follow');
    const motion = arm.followTrajectory([{ positions: { shoulder: 1 }, timeFromStartMs: 1 }]);
    fake.runaway = true;
    await fake.run(400);
    const stop = arm.stop('now').catch((error: unknown) => error);
    await fake.run(4_000);
    expect(await stop).toMatchObject({ code: 'robot.unreachable' });
    expect((await motion).outcome).toBe('reached');
  });

  it('rejects when its controller vanishes in the middle of a motion', async () => {
    const { ros, fake, arm } = await made();
    const motion = arm.followTrajectory(POINTS).catch((error: unknown) => error);
    await fake.run(500);
    // The arm goes on by itself: what the controller had is not ours to see.
    ros.vanish('/arm/follow');
    await fake.run(5_000);
    expect(await motion).toMatchObject({ code: 'robot.unreachable' });
    expect((await arm.state()).motion).toBe('stopped');
  });
});

describe('a lift that another controller drives, under an arm behind ros2_control', () => {
  const measuredAt = (seen: unknown[]) => (joints: object) => void seen.push(joints);

  async function onLift() {
    const { clock, fake, arm } = await made();
    const others = (positions: Readonly<Record<string, number>>) => {
      const none = new Float64Array();
      const bytes = encodeJointState({
        header: { stamp: 9_000_000_000_000n, frame_id: '' },
        ...{ name: Object.keys(positions), position: Float64Array.from(Object.values(positions)) },
        ...{ velocity: none, effort: none },
      });
      const now = clock.now();
      arm.observe({ topic: '/joint_states', type: JOINT_STATE, stamp: now, received: now, bytes });
    };
    return { clock, fake, arm, others };
  }

  it('is where it is told to be, for who looks at a trajectory, and no part of the arm', async () => {
    const { fake, arm, others } = await onLift();
    const { time } = await arm.state();
    others({ lift: 0.4 });
    expect(arm.measured()).toMatchObject({ lift: { position: 0.4 }, shoulder: { position: 0 } });
    const state = await arm.state();
    expect(Object.keys(state.joints).sort()).toEqual([...FakeArm.JOINTS].sort());
    expect(state.time).toBe(time);
    const seen: unknown[] = [];
    const motion = arm.followTrajectory(POINTS, undefined, measuredAt(seen));
    await fake.run(20);
    expect(seen).toMatchObject([{ lift: { position: 0.4 } }]);
    await fake.run(6_000);
    expect(await motion).toMatchObject({ outcome: 'reached' });
  });

  it('is nowhere once nothing was told of it for a second, and the arm is there without it', async () => {
    const { fake, arm, others } = await onLift();
    others({ lift: 0.4 });
    await fake.run(900);
    expect(arm.measured()).toHaveProperty('lift');
    await fake.run(200);
    expect(arm.measured()).not.toHaveProperty('lift');
    expect(await arm.state()).toMatchObject({ connected: true });
  });

  it('has room as soon as names that came before it are told no more', async () => {
    const { fake, arm, others } = await onLift();
    others(Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`ghost_${i}`, i])));
    expect(Object.keys(arm.measured()).length).toBeLessThan(500);
    await fake.run(1_100);
    others({ lift: 0.4 });
    expect(arm.measured()).toMatchObject({ lift: { position: 0.4 }, elbow: { position: 0 } });
  });
});
