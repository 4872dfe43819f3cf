import { EdgeError, type GoalResult, type JointTarget, type MessageValue } from '../../../contract/core.ts';
import type { Outcome } from '../motion-ends.ts';

/** The goals of trajectory and gripper controllers (ros2_control), and what their results mean. Pure. */

export const FOLLOW_TRAJECTORY = 'control_msgs/action/FollowJointTrajectory';
export const GRIPPER = 'control_msgs/action/GripperCommand';
export const PARALLEL_GRIPPER = 'control_msgs/action/ParallelGripperCommand';

/** A trajectory longer than this is a mistake; a controller holds all its points. */
const POINTS_MAX = 10_000;

/**
 * Every point gets all joints, since controllers refuse a part of them: a joint that a point leaves out stays
 * where it was last commanded to be, or where it is. Empty tolerances are those of the controller.
 */
export function trajectoryGoal(
  points: readonly JointTarget[],
  joints: readonly string[],
  now: (joint: string) => number | undefined,
): MessageValue {
  if (points.length === 0 || points.length > POINTS_MAX) throw bad('points', `1 to ${POINTS_MAX} points`);
  let before = -1;
  const last = new Map<string, number>();
  const told = points.map((point, i) => {
    const { positions, timeFromStartMs } = point;
    if (!(timeFromStartMs > before)) throw bad(`points/${i}/timeFromStartMs`, 'times have to grow');
    before = timeFromStartMs;
    for (const [joint, position] of Object.entries(positions)) {
      if (!joints.includes(joint))
        throw bad(`points/${i}/positions/${joint}`, `this arm has ${joints.join(', ')}`);
      if (!Number.isFinite(position)) throw bad(`points/${i}/positions/${joint}`, 'must be finite');
      last.set(joint, position);
    }
    const whole = joints.map((joint) => last.get(joint) ?? now(joint));
    if (whole.includes(undefined))
      throw bad(`points/${i}/positions`, 'a joint that was never reported is left out');
    return {
      positions: whole,
      velocities: [],
      accelerations: [],
      effort: [],
      time_from_start: duration(timeFromStartMs),
    };
  });
  return { trajectory: { joint_names: [...joints], points: told } };
}

export function gripperGoal(type: string, joint: string, opening: number, effort: number): MessageValue {
  if (type !== PARALLEL_GRIPPER) return { command: { position: opening, max_effort: effort } };
  return { command: { name: joint === '' ? [] : [joint], position: [opening], effort: [effort] } };
}

const TRAJECTORY_CODES: Readonly<Record<number, Outcome>> = {
  [-1]: { outcome: 'no_path', message: 'the controller refuses the trajectory' },
  [-2]: { outcome: 'no_path', message: 'the controller has other joints' },
  [-3]: { outcome: 'no_path', message: 'the trajectory starts in the past' },
  [-4]: { outcome: 'stuck', message: 'the arm left the path' },
  [-5]: { outcome: 'stuck', message: 'the arm did not arrive' },
};

/** `canceled` here means by somebody else. */
export function trajectoryOutcome({ status, result }: GoalResult): Outcome {
  const code = Number(result['error_code'] ?? 0);
  if (status === 'succeeded' && code === 0) return { outcome: 'reached', message: '' };
  if (status === 'canceled') return { outcome: 'preempted', message: 'another client cancelled the goal' };
  const { outcome, message } = TRAJECTORY_CODES[code] ?? {
    outcome: 'stuck' as const,
    message: 'the controller aborted, or another client replaced the goal',
  };
  const words = typeof result['error_string'] === 'string' ? result['error_string'] : '';
  return { outcome, message: `${message} (${code})${words ? `: ${words}` : ''}`.slice(0, 512) };
}

export function gripperOutcome({ status, result }: GoalResult): Outcome {
  if (status === 'canceled') return { outcome: 'preempted', message: 'another client cancelled the goal' };
  // It closed on something: some controllers abort then, others succeed.
  if (result['stalled'] === true) return { outcome: 'reached', message: 'it holds something' };
  if (status === 'succeeded' && result['reached_goal'] !== false) return { outcome: 'reached', message: '' };
  return { outcome: 'stuck', message: 'the gripper did not get there' };
}

function duration(ms: number): { sec: number; nanosec: number } {
  const sec = Math.floor(ms / 1_000);
  return { sec, nanosec: Math.round((ms - sec * 1_000) * 1e6) };
}

function bad(path: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'follow-trajectory',
    subject: path,
    message: `${path}: ${message}`,
  });
}
