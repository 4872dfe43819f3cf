import { LIMITS } from '../../../contract/index.ts';
import { DRIVE_LIMITS } from '../../../daemon/execution/control/drive-limits.ts';
import { JOINT_ACCELERATION_MAX, JOINT_SPEED_MAX } from '../../../sim/arm/arm-model.ts';
import { ROBOT } from '../../../sim/robot-model.ts';

/** Which robot: the base in its maze, the arm at its table, the base of the ROS tests over a real DDS, or over rmw_zenoh. */
export const ROBOT_KINDS = ['base', 'arm', 'ros', 'ros_zenoh'] as const;
export type RobotKind = (typeof ROBOT_KINDS)[number];

const seconds = (value: number) => Math.ceil(value * 1_000);
const { linearMax, linearAccel, linearDecel, angularMax, angularAccel } = DRIVE_LIMITS;

/** Two control steps: one in which the order is seen, one that was on its way. Milliseconds. */
const STEPS_MS = { base: 100, arm: 40, ros: 100, ros_zenoh: 100 } as const;
/**
 * To rest within the limits of the gate, milliseconds. The base loses its highest speed at the slower of its two rates. A
 * joint without configured limits takes 0.2 s to its highest speed and 0.05 s to that acceleration, and back (docs/safety.md).
 */
const baseBrake = seconds(
  Math.max(linearMax / Math.min(linearAccel, linearDecel), angularMax / angularAccel),
);
const BRAKE_MS = { base: baseBrake, arm: 300, ros: baseBrake, ros_zenoh: baseBrake } as const;
/** To rest by the drives alone, when nobody commands any more, milliseconds. */
const DRIVES_MS = {
  base: seconds(
    Math.max(ROBOT.linearMax / ROBOT.linearBraking, ROBOT.angularMax / ROBOT.angularAcceleration),
  ),
  arm: seconds(JOINT_SPEED_MAX / JOINT_ACCELERATION_MAX),
  // They follow commands without inertia and have no watchdog.
  ros: 0,
  ros_zenoh: 0,
} as const;
/** Wheels slip and an arm swings back after its drives have come to rest, milliseconds. */
const SETTLE_MS = { base: 250, arm: 500, ros: 100, ros_zenoh: 100 } as const;

export type Bound = {
  /** From the fault to the last command that may move the robot, milliseconds; undefined: motion may go on. */
  readonly commandsMs: number | undefined;
  /** From the fault to rest. */
  readonly restMs: number | undefined;
};

/** What a bound is made of. The words stand in the card. */
export type BoundKind = keyof typeof BOUNDS;

type Terms = { readonly robot: RobotKind };
const braked = (robot: RobotKind, lateMs: number): Bound => {
  const commandsMs = lateMs + STEPS_MS[robot] + BRAKE_MS[robot];
  return { commandsMs, restMs: commandsMs + DRIVES_MS[robot] + SETTLE_MS[robot] };
};
const dropped = (robot: RobotKind, lateMs: number, silentMs = 0): Bound => ({
  commandsMs: lateMs + STEPS_MS[robot],
  restMs: lateMs + silentMs + STEPS_MS[robot] + DRIVES_MS[robot] + SETTLE_MS[robot],
});

/** How long the file of the emergency stop may lie there unseen, milliseconds: it is looked for four times a second. */
export const FILE_LOOK_MS = 250;
/** `robot.sensor_age_max` by default, and the period of the slowest sense. */
export const SENSE_AGE_MS = 500 + 100;
/** How often a foreign runtime of these trials and the daemon say that they live; looked at as often, milliseconds. */
export const PEER_HEARTBEAT_MS = 500;
/** `horizon_max` of a controller by default. */
export const HORIZON_MS = 1_000;

/** The declared bounds: one row for each, with its reason. All of them follow from `contract/limits.ts` and docs/safety.md. */
export const BOUNDS = {
  stopped: {
    why: 'brakes within the limits of its gate, two control steps after the order',
    of: ({ robot }: Terms) => braked(robot, 0),
  },
  'cut at once': {
    why: 'no command after two control steps; the drives brake on their own',
    of: ({ robot }: Terms) => dropped(robot, 0),
  },
  'cut by file': {
    why: 'the same, after the file was looked for (250 ms)',
    of: ({ robot }: Terms) => dropped(robot, FILE_LOOK_MS),
  },
  silent: {
    why: 'no command after two control steps; a command counts for COMMAND_EXPIRY_MS, then the drives brake',
    of: ({ robot }: Terms) => dropped(robot, 0, LIMITS.COMMAND_EXPIRY_MS),
  },
  expired: {
    why: 'the last command of a hand counts for COMMAND_EXPIRY_MS, then the gate brakes',
    of: ({ robot }: Terms) => braked(robot, LIMITS.COMMAND_EXPIRY_MS),
  },
  'silent cell': {
    why: 'a cell that is silent for HEARTBEAT_SILENT_MS is killed, what it asked for is braked',
    of: ({ robot }: Terms) => braked(robot, LIMITS.HEARTBEAT_SILENT_MS + 2 * LIMITS.HEARTBEAT_MS),
  },
  'old senses': {
    why: 'robot.sensor_age_max (500 ms) and one period of the sense, then the gate brakes',
    of: ({ robot }: Terms) => braked(robot, SENSE_AGE_MS),
  },
  starved: {
    why: 'no action is used later than horizon_max (1 s) after its observation, then the gate brakes',
    of: ({ robot }: Terms) => braked(robot, HORIZON_MS),
  },
  'starved of senses': {
    why: 'the last observation may be as old as its age limit (500 ms), and its actions count for horizon_max',
    of: ({ robot }: Terms) => braked(robot, SENSE_AGE_MS + HORIZON_MS),
  },
  'silent peer': {
    why: 'a foreign runtime that says nothing for three heartbeats (0.5 s here) is lost, what it asked for is braked',
    of: ({ robot }: Terms) => braked(robot, 4 * PEER_HEARTBEAT_MS),
  },
  never: {
    why: 'not one command',
    of: (): Bound => ({ commandsMs: 0, restMs: 0 }),
  },
  limits: {
    why: 'motion may continue, within the limits of the robot',
    of: (): Bound => ({ commandsMs: undefined, restMs: undefined }),
  },
} as const satisfies Record<string, { why: string; of(terms: Terms): Bound }>;

export function boundOf(kind: BoundKind, robot: RobotKind): Bound {
  return BOUNDS[kind].of({ robot });
}
