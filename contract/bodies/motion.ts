import { Type } from 'typebox';
import { MOTION_GOALS, MOTION_OUTCOMES } from '../motion/goals.ts';
import {
  ask,
  byName,
  done,
  flag,
  int8s,
  list,
  maybe,
  measured,
  nanoseconds,
  nothing,
  oneOf,
  reply,
  text,
} from './kit.ts';
import { LeaseRole } from './safety.ts';

const Short = Type.String({ minLength: 1, maxLength: 256 });
export const MOTION_STATES = ['idle', 'moving', 'stopped'] as const;

/** Position in metres and heading in radians (counter-clockwise from +x), in a named frame (REP-105). */
export const Pose2d = reply({ x: measured, y: measured, yaw: measured });

export const RobotState = reply({
  /** Robot time: simulation time in simulation, nanoseconds. */
  time: nanoseconds,
  /** `base_link` in `map`; undefined until localised. */
  pose: maybe(Pose2d),
  /** Metres per second forward and radians per second counter-clockwise, in `base_link` (REP-103). */
  twist: reply({ linear: measured, angular: measured }),
  battery: maybe(measured),
  /** Metres driven since the start, by odometry. */
  distance: measured,
  /** Bumper contacts since the start, each counted once from touch to release. */
  bumps: measured,
  motion: oneOf(MOTION_STATES),
  connected: flag,
  /**
   * Latest values of small topics by their ROS name, for example `/maze/exit_reached`; empty where the robot has no
   * such topics.
   */
  signals: byName(Type.Union([flag, measured])),
});

/** Occupancy as in nav_msgs/OccupancyGrid: row-major from the origin corner; -1 unknown, 0 free, 100 occupied. */
export const MapSnapshot = reply({
  time: nanoseconds,
  width: measured,
  height: measured,
  /** Metres per cell. */
  resolution: measured,
  /** Lower-left corner of cell (0,0) in `map`, metres. */
  origin: reply({ x: measured, y: measured }),
  cells: int8s,
});

export const MotionReply = reply({
  outcome: oneOf(MOTION_OUTCOMES),
  pose: maybe(Pose2d),
  distance: measured,
  /** Robot time the motion took, milliseconds. */
  durationMs: measured,
  /** Robot time when the motion ended, nanoseconds. */
  time: nanoseconds,
  message: text,
});

/** One joint as sensor_msgs/JointState reports it: radians or metres, per second, newton metres or newtons. */
export const JointReading = reply({
  position: measured,
  velocity: maybe(measured),
  effort: maybe(measured),
});

export const ArmState = reply({
  /** Time of the newest joint states, nanoseconds; undefined before the first. */
  time: maybe(nanoseconds),
  joints: byName(JointReading),
  motion: oneOf(MOTION_STATES),
  /** Joint states of all its joints arrive. */
  connected: flag,
});

/** An arm as it can be drawn: joints between their limits, and where they are by forward kinematics. */
export const ArmFigure = reply({
  motion: oneOf(MOTION_STATES),
  connected: flag,
  /** Radians, or metres where it slides. `position` is absent until it is reported, limits where none are known. */
  joints: list(
    reply({
      name: text,
      kind: oneOf(['turns', 'slides', 'unknown']),
      position: Type.Optional(measured),
      lower: Type.Optional(measured),
      upper: Type.Optional(measured),
    }),
  ),
  /** Joint that opens the gripper, among `joints`; absent: none is known. */
  gripper: Type.Optional(text),
  /** Link that the points are in. */
  frame: text,
  /** Origins of the links from `frame` to the tool, metres; empty where they are not known. */
  points: list(reply({ link: text, x: measured, y: measured, z: measured })),
  /** Why there are no points; empty if there are some. */
  reason: text,
});

const motion = <const K extends keyof typeof MOTION_GOALS>(kind: K) => ({
  ask: ask({
    /** `robot.cancel` names the motion by it. */
    motionId: Short,
    goal: MOTION_GOALS[kind],
    /** The run that moves; its stop ends this motion. */
    run: Type.Optional(Short),
    /** Principal of the request at the API. */
    by: Type.Optional(Short),
    /** W3C trace context of the call that this motion serves. */
    traceparent: Type.Optional(text),
  }),
  reply: MotionReply,
});

/** Settles when that motion has settled; an unknown motion is no error. */
export const CancelRequest = ask({
  ...{ motionId: Short, reason: Type.String({ maxLength: 256 }) },
  by: Type.Optional(Type.String({ maxLength: 128, description: 'principal that asked for it' })),
});

/**
 * Of `robot.stop` (everything that moves) and of `arm.stop`. With `run` only the motions of that run end. `role`:
 * the rank of the caller, a person's where it is absent; it decides whose lease the stop ends.
 */
export const StopRequest = ask({
  reason: text,
  run: Type.Optional(text),
  role: Type.Optional(LeaseRole),
  by: Type.Optional(Type.String({ maxLength: 128, description: 'principal that asked for it' })),
  /** Of the rank `agent`: the run whose agent asked. Of other runs the stop then refuses only what moves. */
  agentOf: Type.Optional(text),
});

/** The answer to a stop: facts for the caller besides success. */
export const StopWarnings = reply({ warnings: Type.Optional(list(text)) });

export const MOTION_BODIES = {
  'robot.state': { ask: nothing, reply: RobotState },
  'robot.map': { ask: nothing, reply: maybe(MapSnapshot) },
  'robot.navigate': motion('navigate'),
  'robot.maneuver': motion('maneuver'),
  'robot.cancel': { ask: CancelRequest, reply: done },
  'robot.stop': { ask: StopRequest, reply: maybe(StopWarnings) },
  'arm.state': { ask: nothing, reply: ArmState },
  'arm.figure': { ask: nothing, reply: maybe(ArmFigure) },
  'arm.follow': motion('follow'),
  'arm.gripper': motion('gripper'),
  'arm.stop': { ask: StopRequest, reply: done },
} as const;
