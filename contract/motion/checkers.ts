import { checker } from '../check.ts';
import { EdgeError } from '../edge-error.ts';
import type { MotionResult } from '../ports/robot.ts';
import { badGoal } from './bad-goal.ts';
import { type GoalOf, MOTION_GOALS, type MotionKind, MotionResult as ResultSchema } from './goals.ts';

const checkers = {
  navigate: checker(MOTION_GOALS.navigate),
  maneuver: checker(MOTION_GOALS.maneuver),
  follow: checker(MOTION_GOALS.follow),
  gripper: checker(MOTION_GOALS.gripper),
};
const resultChecker = checker(ResultSchema);

export function goalFault(kind: MotionKind, goal: unknown): string | undefined {
  return checkers[kind].fault(goal);
}

/**
 * A frozen copy of the goal: what is judged and logged is what the robot does, whatever the caller changes meanwhile.
 * Throws `schema.invalid`; NaN, strings and unknown fields never reach a robot.
 */
export function checkGoal<K extends MotionKind>(kind: K, goal: unknown): GoalOf<K> {
  const own = frozenCopy(goal);
  const fault = goalFault(kind, own);
  if (fault === undefined) return own as GoalOf<K>;
  throw badGoal(kind, fault);
}

/** Each field is read once: a getter cannot give another value later. */
function frozenCopy(value: unknown): unknown {
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy));
  if (typeof value !== 'object' || value === null) return value;
  return Object.freeze(Object.fromEntries(Object.entries(value).map(([key, own]) => [key, frozenCopy(own)])));
}

/** The result from the robot. Throws `robot.unreachable` if it is no motion result. */
export function checkMotionResult(value: unknown, operation: string): MotionResult {
  const compact = (value as { pose?: unknown } | null)?.pose === undefined ? withoutPose(value) : value;
  const fault = resultChecker.fault(compact);
  if (fault === undefined) return value as MotionResult;
  throw new EdgeError('robot.unreachable', {
    operation,
    subject: 'robot',
    message: `the robot's answer is no motion result: ${fault}`,
  });
}

function withoutPose(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { pose: _pose, ...rest } = value as Record<string, unknown>;
  return rest;
}
