import type {
  GoalResult,
  Maneuver,
  MessageValue,
  MotionResult,
  NavigateGoal,
  Pose2d,
} from '../../../contract/core.ts';
import { quaternionOfYaw } from '../../../formats/cdr/index.ts';
import type { Outcome } from '../motion-ends.ts';

/** The goals of Nav2's navigators and behaviours, and what their results mean. Pure. */

export type NavAction =
  | 'navigate_to_pose'
  | 'navigate_through_poses'
  | 'spin'
  | 'backup'
  | 'drive_on_heading';

export const NAV_TYPES: Readonly<Record<NavAction, string>> = {
  navigate_to_pose: 'nav2_msgs/action/NavigateToPose',
  navigate_through_poses: 'nav2_msgs/action/NavigateThroughPoses',
  spin: 'nav2_msgs/action/Spin',
  backup: 'nav2_msgs/action/BackUp',
  drive_on_heading: 'nav2_msgs/action/DriveOnHeading',
};
export const NAV_ACTIONS = Object.keys(NAV_TYPES) as readonly NavAction[];

export type NavOrder = { readonly action: NavAction; readonly goal: MessageValue };

/** Speed of behaviours that drive, metres per second: slow, they are recoveries. */
const BEHAVIOUR_SPEED = 0.15;
/** Slowest turn a behaviour is expected to make, radians per second. */
const BEHAVIOUR_TURN = 0.3;
/** Time allowed beyond the ideal: acceleration, and a robot that waits for a person to pass. */
const ALLOWANCE_FACTOR = 3;
const ALLOWANCE_S = 5;

/**
 * `here` is where the robot is. A goal that leaves the heading open is given the one on which it arrives:
 * Nav2 always turns to the heading of its goal.
 */
export function navigateOrder(goal: NavigateGoal, here: Pose2d | undefined, frame: string): NavOrder {
  const places = [...(goal.via ?? []), goal.pose];
  const from = goal.via?.at(-1) ?? here;
  const headed = places.map((place, i) => {
    if (goal.alignYaw || !from) return place;
    const before = i === 0 ? (here ?? place) : places[i - 1]!;
    return { ...place, yaw: Math.atan2(place.y - before.y, place.x - before.x) };
  });
  const poses = headed.map((pose) => poseStamped(pose, frame));
  return poses.length === 1
    ? { action: 'navigate_to_pose', goal: { pose: poses[0], behavior_tree: '' } }
    : { action: 'navigate_through_poses', goal: { poses, behavior_tree: '' } };
}

/** Undefined for a wait, which asks nothing of the robot. */
export function maneuverOrder(step: Maneuver): NavOrder | undefined {
  switch (step.kind) {
    case 'wait':
      return undefined;
    case 'spin': {
      const time_allowance = seconds(allowance(Math.abs(step.angle) / BEHAVIOUR_TURN));
      return { action: 'spin', goal: { target_yaw: step.angle, time_allowance } };
    }
    case 'drive': {
      const time_allowance = seconds(allowance(Math.abs(step.distance) / BEHAVIOUR_SPEED));
      const target = { x: Math.abs(step.distance), y: 0, z: 0 };
      const goal = { target, speed: BEHAVIOUR_SPEED, time_allowance };
      return { action: step.distance < 0 ? 'backup' : 'drive_on_heading', goal };
    }
  }
}

function allowance(ideal: number): number {
  return ALLOWANCE_S + ideal * ALLOWANCE_FACTOR;
}

export function seconds(value: number): { sec: number; nanosec: number } {
  const sec = Math.floor(value);
  return { sec, nanosec: Math.round((value - sec) * 1e9) % 1_000_000_000 };
}

function poseStamped(pose: Pose2d, frame: string): MessageValue {
  // A stamp of zero asks for the newest transform.
  return {
    header: { stamp: { sec: 0, nanosec: 0 }, frame_id: frame },
    pose: { position: { x: pose.x, y: pose.y, z: 0 }, orientation: quaternionOfYaw(pose.yaw) },
  };
}

/** Codes of nav2_msgs in Jazzy by their meaning for the caller; the rest of a hundred is its family. */
const CODES: Readonly<Record<number, readonly [MotionResult['outcome'], string]>> = {
  101: ['stuck', 'the controller does not exist'],
  102: ['stuck', 'the controller has no transform'],
  103: ['no_path', 'the path is not valid'],
  104: ['stuck', 'the controller ran out of patience'],
  105: ['stuck', 'no progress'],
  106: ['stuck', 'no valid control'],
  107: ['stuck', 'the controller is too slow'],
  201: ['no_path', 'the planner does not exist'],
  202: ['stuck', 'the planner has no transform'],
  203: ['no_path', 'the start is outside the map'],
  204: ['no_path', 'the goal is outside the map'],
  205: ['no_path', 'the start is occupied'],
  206: ['no_path', 'the goal is occupied'],
  207: ['no_path', 'the planner found no path in time'],
  208: ['no_path', 'no valid path'],
  701: ['timeout', 'the turn took too long'],
  702: ['stuck', 'the turn has no transform'],
  703: ['stuck', 'something is in the way of the turn'],
  711: ['timeout', 'backing up took too long'],
  712: ['stuck', 'backing up has no transform'],
  714: ['stuck', 'something is behind'],
  721: ['timeout', 'driving took too long'],
  722: ['stuck', 'driving has no transform'],
  723: ['stuck', 'something is ahead'],
  9003: ['timeout', 'the navigator took too long'],
};
const PLANNER_FAMILY_MAX = 399;
const PLANNER_FAMILY_MIN = 200;
const THROUGH_POSES_MIN = 300;

/** What a result of Nav2 says; `canceled` here means by somebody else. Humble sends no codes. */
export function outcomeOf({ status, result }: GoalResult): Outcome {
  if (status === 'succeeded') return { outcome: 'reached', message: '' };
  if (status === 'canceled') return { outcome: 'preempted', message: 'another client cancelled the goal' };
  const code = Number(result['error_code'] ?? 0);
  const told = typeof result['error_msg'] === 'string' ? result['error_msg'] : '';
  const [outcome, meaning] = meaningOf(code);
  return { outcome, message: `Nav2 aborted (${code}): ${told || meaning}`.slice(0, 512) };
}

function meaningOf(code: number): readonly [MotionResult['outcome'], string] {
  if (code === 0) return ['stuck', 'without a reason, or another client replaced the goal'];
  // Planning through poses has the codes of planning to a pose, a hundred higher.
  const known = CODES[code >= THROUGH_POSES_MIN && code <= PLANNER_FAMILY_MAX ? code - 100 : code];
  if (known) return known;
  return code >= PLANNER_FAMILY_MIN && code <= PLANNER_FAMILY_MAX
    ? ['no_path', 'planning failed']
    : ['stuck', 'for an unknown reason'];
}
