import { EdgeError, type JointTarget, type MessageValue, MOTION_LIMITS } from '../../../contract/core.ts';
import type { DoorGate } from './door-gate.ts';
import type { TopicClasses } from './topic-classes.ts';

/** Actions that only compute a result and move nothing. */
const HARMLESS_ACTIONS: ReadonlySet<string> = new Set([
  'nav2_msgs/action/ComputePathThroughPoses',
  'nav2_msgs/action/ComputePathToPose',
  'nav2_msgs/action/SmoothPath',
  'tf2_msgs/action/LookupTransform',
]);
/** Services that only report. Others may do anything, also those of std_srvs. */
const HARMLESS_SERVICES: ReadonlySet<string> = new Set([
  'composition_interfaces/srv/ListNodes',
  'controller_manager_msgs/srv/ListControllerTypes',
  'controller_manager_msgs/srv/ListControllers',
  'controller_manager_msgs/srv/ListHardwareComponents',
  'controller_manager_msgs/srv/ListHardwareInterfaces',
  'lifecycle_msgs/srv/GetAvailableStates',
  'lifecycle_msgs/srv/GetAvailableTransitions',
  'lifecycle_msgs/srv/GetState',
  'nav_msgs/srv/GetMap',
  'nav_msgs/srv/GetPlan',
  'nav2_msgs/srv/GetCostmap',
  'nav2_msgs/srv/IsPathValid',
  'rcl_interfaces/srv/DescribeParameters',
  'rcl_interfaces/srv/GetParameterTypes',
  'rcl_interfaces/srv/GetParameters',
  'rcl_interfaces/srv/ListParameters',
  'tf2_msgs/srv/FrameGraph',
  'type_description_interfaces/srv/GetTypeDescription',
]);

/** Motions that no gate can judge. They count as harmless only if configured by their full name, not by a pattern. */
const MOVING_ACTIONS: ReadonlySet<string> = new Set([
  'control_msgs/action/ParallelGripperCommand',
  'control_msgs/action/PointHead',
  'control_msgs/action/SingleJointPosition',
  'moveit_msgs/action/ExecuteTrajectory',
  'moveit_msgs/action/MoveGroup',
  'nav2_msgs/action/AssistedTeleop',
  'nav2_msgs/action/DockRobot',
  'nav2_msgs/action/FollowGPSWaypoints',
  'nav2_msgs/action/FollowPath',
  'nav2_msgs/action/FollowWaypoints',
  'nav2_msgs/action/UndockRobot',
]);

type Judge = (goal: MessageValue, gate: DoorGate) => void;

/**
 * Motions of the robot's own nodes that other clients may request, within the limits of a motion of this daemon. Every
 * other action is refused.
 */
const GATED_ACTIONS: ReadonlyMap<string, Judge> = new Map<string, Judge>([
  ['control_msgs/action/FollowJointTrajectory', judgeTrajectory],
  ['control_msgs/action/GripperCommand', judgeGripper],
  ['nav2_msgs/action/NavigateToPose', (goal) => judgePose(at(goal, 'pose'))],
  ['nav2_msgs/action/NavigateThroughPoses', (goal) => judgePoses(goal)],
  ['nav2_msgs/action/Spin', (goal) => within(goal, 'target_yaw', MOTION_LIMITS.SPIN_RAD)],
  ['nav2_msgs/action/BackUp', judgeDrive],
  ['nav2_msgs/action/DriveOnHeading', judgeDrive],
]);

/** The door for goals and calls, which travel as messages of an API and not as samples. */
export class DoorCalls {
  readonly #topics: TopicClasses;
  readonly #gate: DoorGate;

  constructor(topics: TopicClasses, gate: DoorGate) {
    this.#topics = topics;
    this.#gate = gate;
  }

  /**
   * `harmless`: it moves nothing. `moves`: it keeps all limits, and may be sent under the actuation lease. Throws
   * `command.refused` for a goal beyond a limit, and for an action that no gate can judge.
   */
  goal(action: string, type: string, goal: MessageValue): 'harmless' | 'moves' {
    const judge = GATED_ACTIONS.get(type);
    const named = this.#topics.obeys(action) ? undefined : this.#topics.named(action);
    const byPattern = named && !judge && !MOVING_ACTIONS.has(type);
    if (named === 'in full' || byPattern || HARMLESS_ACTIONS.has(type)) return 'harmless';
    if (!judge) throw unknown('goal', action, type);
    try {
      judge(goal, this.#gate);
    } catch (thrown) {
      const { message, hint } = EdgeError.from(thrown, 'command.refused', 'send a goal', action);
      throw refused('send a goal', action, message, hint);
    }
    return 'moves';
  }

  /** Throws `command.refused` for a service that is not known to be harmless: it could move the robot past the gate. */
  call(service: string, type: string): void {
    if (HARMLESS_SERVICES.has(type) || this.#topics.named(service)) return;
    throw unknown('call', service, type);
  }
}

function judgeTrajectory(goal: MessageValue, gate: DoorGate): void {
  const other = at(goal, 'multi_dof_trajectory');
  if (list(other?.['points']).length > 0) throw fault('a trajectory with multi-DOF points cannot be checked');
  const trajectory = at(goal, 'trajectory');
  const joints = list(trajectory?.['joint_names']).map(String);
  const points = list(trajectory?.['points']) as readonly MessageValue[];
  if (points.length > MOTION_LIMITS.POINTS || joints.length > MOTION_LIMITS.JOINTS)
    throw fault('it has more points or joints than this daemon accepts');
  const rows = points.map((point) => list(point['positions']).map(Number));
  const targets = points.map((point, i): JointTarget => {
    const { sec = 0, nanosec = 0 } = at(point, 'time_from_start') ?? {};
    return {
      positions: Object.fromEntries(joints.map((name, j) => [name, rows[i]![j] ?? Number.NaN])),
      timeFromStartMs: Number(sec) * 1_000 + Number(nanosec) / 1e6,
    };
  });
  const velocities = points.map((point) => Float64Array.from(list(point['velocities']).map(Number)));
  if (velocities.some((speeds) => !speeds.every(Number.isFinite))) throw fault('a velocity is not finite');
  gate.checkTrajectory({ joints, points: targets, velocities });
}

function judgeGripper(goal: MessageValue): void {
  const command = at(goal, 'command') ?? {};
  within(command, 'position', MOTION_LIMITS.OPENING_M);
  within(command, 'max_effort', MOTION_LIMITS.EFFORT_N);
}

function judgeDrive(goal: MessageValue, { speeds }: DoorGate): void {
  const target = at(goal, 'target') ?? {};
  for (const axis of ['x', 'y', 'z']) within(target, axis, MOTION_LIMITS.DRIVE_M);
  within(goal, 'speed', speeds.linearMax);
}

function judgePoses(goal: MessageValue): void {
  const poses = goal['poses'];
  // nav_msgs/Goals, from Jazzy on, holds its poses in a field of its own.
  const rows = Array.isArray(poses) ? poses : list((poses as MessageValue | undefined)?.['goals']);
  for (const pose of rows) judgePose(pose as MessageValue);
}

/** A PoseStamped. */
function judgePose(stamped: MessageValue | undefined): void {
  const position = at(at(stamped, 'pose'), 'position') ?? {};
  for (const axis of ['x', 'y', 'z']) within(position, axis, MOTION_LIMITS.PLACE_M);
}

function within(value: MessageValue, field: string, most: number): void {
  const number = Number(value[field] ?? 0);
  if (!(Math.abs(number) <= most)) throw fault(`${field} ${number} is outside -${most} to ${most}`);
}

function at(value: MessageValue | undefined, field: string): MessageValue | undefined {
  const inner = value?.[field];
  return typeof inner === 'object' && inner !== null ? (inner as MessageValue) : undefined;
}

/** Lists and typed arrays alike; anything else is empty. */
function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Array.from(value as never) : [];
}

function fault(message: string): EdgeError {
  return refused('send a goal', 'goal', message, '');
}

function unknown(what: 'goal' | 'call', name: string, type: string): EdgeError {
  const operation = what === 'goal' ? 'send a goal' : 'call a service';
  const hint = `if it cannot move the robot, set robot.harmless = ["${name}"]; see docs/ros.md`;
  return refused(
    operation,
    name,
    `${type} at ${name} might move the robot: it is not listed as harmless`,
    hint,
  );
}

function refused(operation: string, subject: string, message: string, hint: string): EdgeError {
  return new EdgeError('command.refused', { operation, subject, message, hint });
}
