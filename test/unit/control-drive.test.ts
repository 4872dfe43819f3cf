import { describe, expect, it } from 'vitest';
import type { MotionResult, NavigateGoal } from '../../contract/index.ts';
import { readConfig } from '../../daemon/config.ts';
import type { ControlClient } from '../../daemon/execution/control/control-client.ts';
import { ControlDrive } from '../../daemon/execution/control/control-drive.ts';
import { parseGripper, parseNavigate, parseTrajectory } from '../../daemon/execution/robot-requests.ts';

const HERE = { x: 0, y: 0, yaw: 0 };
const result = (outcome: MotionResult['outcome']): MotionResult => ({
  outcome,
  pose: HERE,
  distance: 1,
  durationMs: 400,
  time: 1n,
  message: '',
});

/** A control thread that notes its goals and ends each as it is told. */
function drive(...outcomes: MotionResult['outcome'][]) {
  const goals: NavigateGoal[] = [];
  const cancelled: string[] = [];
  const client = {
    navigate: async (_id: string, goal: NavigateGoal) => {
      goals.push(goal);
      return result(outcomes[goals.length - 1]!);
    },
    cancel: (id: string, reason: string) => void cancelled.push(`${id} ${reason}`),
  } as unknown as ControlClient;
  return { goals, cancelled, robot: new ControlDrive(client) };
}

const GOAL = { pose: { x: 3, y: 0, yaw: 0 }, tolerance: 0.2, timeoutMs: 1_000, alignYaw: true };
const VIA = [
  { x: 1, y: 0, yaw: 0 },
  { x: 2, y: 0, yaw: 0 },
];

describe('the control thread as a robot', () => {
  it('passes the places on the way one after the other, in the time of the whole way', async () => {
    const { goals, robot } = drive('reached', 'reached', 'reached');
    expect(await robot.navigate({ ...GOAL, via: VIA })).toMatchObject({
      outcome: 'reached',
      distance: 3,
      durationMs: 1_200,
    });
    expect(goals.map(({ pose, timeoutMs, alignYaw }) => [pose.x, timeoutMs, alignYaw])).toEqual([
      [1, 1_000, false],
      [2, 600, false],
      [3, 200, true],
    ]);
    expect(goals.every((goal) => !('via' in goal))).toBe(true);
  });

  it('goes no further than the first place it does not reach, and cancels by its own names', async () => {
    const { goals, robot, cancelled } = drive('stuck');
    expect((await robot.navigate({ ...GOAL, via: VIA })).outcome).toBe('stuck');
    expect(goals).toHaveLength(1);
    await robot.navigate(GOAL, AbortSignal.abort('enough'));
    expect(cancelled).toEqual(['2 enough']);
  });
});

describe('requests for motions', () => {
  it('take places on the way, trajectories and grippers, and refuse what is no number', () => {
    const { alignYaw: _, ...goal } = GOAL;
    expect(parseNavigate({ motionId: 'm', goal: { ...goal, via: VIA } }).goal.via).toEqual(VIA);
    const bad = (work: () => unknown, subject: string) =>
      expect(work).toThrow(expect.objectContaining({ code: 'schema.invalid', subject }));
    bad(
      () => parseNavigate({ motionId: 'm', goal: { ...goal, via: [{ x: '1', y: 0, yaw: 0 }] } }),
      '/goal/via/0/x',
    );
    bad(() => parseNavigate({ motionId: 'm', goal: { ...goal, via: Array(101).fill(HERE) } }), '/goal/via');
    const points = (positions: object) => ({
      motionId: 'm',
      goal: { points: [{ positions, timeFromStartMs: 1 }] },
    });
    expect(parseTrajectory(points({ a: 1 })).goal.points[0]!.positions).toEqual({ a: 1 });
    bad(() => parseTrajectory(points({ a: Number.NaN })), '/goal/points/0/positions/a');
    bad(() => parseTrajectory({ motionId: 'm', goal: { points: {} } }), '/goal/points');
    bad(() => parseGripper({ motionId: 'm', goal: { opening: 9, effort: 1 } }), '/goal/opening');
  });
});

describe('keys that do not agree', () => {
  it('are told by line: Nav2 and arms need ROS, an arm needs joints', () => {
    const source = '[robot]\nsource = "sim"\nnavigator = "nav2"\n[arm]\nenabled = true\n';
    const { faults } = readConfig(source, 'robot.toml', {});
    expect(faults.map(({ key, line }) => [key, line])).toEqual([
      ['robot.navigator', 3],
      ['arm.enabled', 5],
      ['arm.joints', 4],
    ]);
    const good = '[robot]\nsource = "ros"\nnavigator = "nav2"\n[arm]\nenabled = true\njoints = ["j1"]\n';
    expect(readConfig(good, 'robot.toml', {}).faults).toEqual([]);
  });
});
