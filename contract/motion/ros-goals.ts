import { EdgeError } from '../edge-error.ts';
import type { MotionFacts } from './facts.ts';

/** A goal of a ROS action as policies judge it. */
export type RosGoalMotion = {
  /** The tool by whose name policies speak of this motion; absent: this robot does not know what the action does. */
  readonly tool?: string;
  /** `motion` is `unknown` where the action is not known here. Metres, radians, newtons, milliseconds. */
  readonly facts: { readonly motion: string } & Readonly<Record<string, unknown>>;
};

type Message = Readonly<Record<string, unknown>>;
type Reader = {
  readonly tool: string;
  /** All fields of the goal, in every distribution from Humble on. */
  readonly fields: readonly string[];
  readonly read: (goal: Message) => MotionFacts;
};

/** The frame in which policies limit places. */
const MAP = 'map';

const RELATIVE = ['target', 'speed', 'time_allowance', 'disable_collision_checks'];
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  [
    'nav2_msgs/action/NavigateToPose',
    {
      tool: 'robot.navigate',
      fields: ['pose', 'behavior_tree'],
      read: (goal) => places([at(goal, 'pose')], goal),
    },
  ],
  [
    'nav2_msgs/action/NavigateThroughPoses',
    {
      tool: 'robot.navigate',
      fields: ['poses', 'behavior_tree'],
      read: (goal) => places(posesOf(goal), goal),
    },
  ],
  [
    'nav2_msgs/action/Spin',
    {
      tool: 'robot.maneuver',
      fields: ['target_yaw', 'time_allowance', 'disable_collision_checks'],
      read: (goal) => ({
        ...{ motion: 'spin', frame: 'base_link', angle_rad: number(goal, 'target_yaw') },
        ...unchecked(goal),
      }),
    },
  ],
  // Nav2 backs up by this distance whatever its sign is.
  [
    'nav2_msgs/action/BackUp',
    { tool: 'robot.maneuver', fields: RELATIVE, read: (goal) => straight(goal, -1) },
  ],
  [
    'nav2_msgs/action/DriveOnHeading',
    {
      tool: 'robot.maneuver',
      fields: RELATIVE,
      read: (goal) => straight(goal, number(at(goal, 'target'), 'x') < 0 ? -1 : 1),
    },
  ],
  [
    'control_msgs/action/FollowJointTrajectory',
    {
      tool: 'arm.move',
      fields: [
        ...['trajectory', 'multi_dof_trajectory', 'path_tolerance', 'component_path_tolerance'],
        ...['goal_tolerance', 'component_goal_tolerance', 'goal_time_tolerance'],
      ],
      read: follow,
    },
  ],
  [
    'control_msgs/action/GripperCommand',
    {
      tool: 'arm.gripper',
      fields: ['command'],
      read: (goal) => ({
        ...{ motion: 'gripper', frame: 'joints', opening_m: number(at(goal, 'command'), 'position') },
        effort_n: number(at(goal, 'command'), 'max_effort'),
      }),
    },
  ],
]);

/**
 * What a goal asks for, with the same names and units as other motions. Throws `command.refused` where it holds what
 * policies could not judge: a field that is not known here, or a place in another frame than `map`.
 */
export function rosGoalMotion(type: string, goal: Message): RosGoalMotion {
  const reader = READERS.get(type);
  if (!reader) return { facts: { motion: 'unknown' } };
  const stranger = Object.keys(goal).find((field) => !reader.fields.includes(field));
  if (stranger !== undefined)
    throw unjudged(type, `the field ${stranger.slice(0, 64)} of ${type} is not known here`);
  return { tool: reader.tool, facts: reader.read(goal) };
}

function places(poses: readonly (Message | undefined)[], goal: Message): MotionFacts {
  const found = poses.map((stamped) => {
    const frame = String(at(stamped, 'header')?.['frame_id'] ?? '');
    if (frame !== MAP)
      throw unjudged(
        'goal',
        `a place in the frame "${frame.slice(0, 64)}": policies limit places in "${MAP}"`,
      );
    const pose = at(stamped, 'pose');
    const [position, turn] = [at(pose, 'position'), at(pose, 'orientation')];
    const [x, y] = [number(position, 'x'), number(position, 'y')];
    const yaw = 2 * Math.atan2(number(turn, 'z'), turn?.['w'] === undefined ? 1 : number(turn, 'w'));
    return { x, y, yaw };
  });
  const last = found.at(-1);
  if (!last) throw unjudged('goal', 'it has no place to go to');
  const [xs, ys] = [found.map(({ x }) => x), found.map(({ y }) => y)];
  const tree = goal['behavior_tree'];
  return {
    ...{ motion: 'navigate', frame: MAP, x_m: last.x, y_m: last.y, yaw: last.yaw, via: found.length - 1 },
    ...{ x_min_m: Math.min(...xs), x_max_m: Math.max(...xs) },
    ...{ y_min_m: Math.min(...ys), y_max_m: Math.max(...ys) },
    ...(tree === undefined || tree === '' ? {} : { behavior_tree: String(tree) }),
  };
}

/** nav_msgs/Goals, from Jazzy on, holds its poses in a field of its own. */
function posesOf(goal: Message): readonly (Message | undefined)[] {
  const poses = goal['poses'];
  const rows = Array.isArray(poses) ? poses : (poses as Message | undefined)?.['goals'];
  return Array.isArray(rows) ? (rows as Message[]) : [];
}

function straight(goal: Message, sign: number): MotionFacts {
  const target = at(goal, 'target');
  const distance = Math.hypot(number(target, 'x'), number(target, 'y'), number(target, 'z'));
  return {
    ...{ motion: 'drive', frame: 'base_link', distance_m: sign * distance },
    asked_speed_m_s: Math.abs(number(goal, 'speed')),
    ...unchecked(goal),
  };
}

function unchecked(goal: Message): object {
  return goal['disable_collision_checks'] === true ? { disable_collision_checks: true } : {};
}

function follow(goal: Message): MotionFacts {
  const trajectory = at(goal, 'trajectory');
  const points = listOf(trajectory?.['points']) as readonly Message[];
  const time = at(points.at(-1), 'time_from_start');
  return {
    ...{ motion: 'follow', frame: 'joints', points: points.length },
    joints: [...new Set(listOf(trajectory?.['joint_names']).map(String))].sort(),
    duration_ms: number(time, 'sec') * 1_000 + number(time, 'nanosec') / 1e6,
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function at(value: Message | undefined, field: string): Message | undefined {
  const inner = value?.[field];
  return typeof inner === 'object' && inner !== null ? (inner as Message) : undefined;
}

/** A field that is left out is 0, as in a message. A value that is not a number is not judged as one. */
function number(value: Message | undefined, field: string): number {
  return Number(value?.[field] ?? 0);
}

function unjudged(subject: string, message: string): EdgeError {
  return new EdgeError('command.refused', {
    operation: 'judge a goal',
    subject,
    message,
    hint: `give places in the frame "${MAP}" and only fields that docs/policies.md names, or ask for a motion of this robot: POST /v1/robot/navigate`,
  });
}
