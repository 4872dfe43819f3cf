/**
 * An arm of the class of the Annin Robotics AR4 MK3: link lengths, joint limits and masses as its ROS driver
 * publishes them, and a parallel gripper. Metres, radians, kilograms, seconds. `base_link` lies on the table, z up;
 * with all joints at zero the upper arm stands upright and the forearm points along -y.
 */

/** One joint as URDF writes it: `xyz` and `rpy` of its frame in the frame before it, and its axis in its own. */
export type ArmJoint = {
  readonly name: string;
  readonly link: string;
  readonly xyz: readonly [number, number, number];
  readonly rpy: readonly [number, number, number];
  readonly axis: readonly [number, number, number];
  readonly lower: number;
  readonly upper: number;
  /** Of the link behind it. */
  readonly mass: number;
};

const DEGREE = Math.PI / 180;
const QUARTER = Math.PI / 2;

/** 60 degrees per second: the setting of the stepper drivers. */
export const JOINT_SPEED_MAX = 60 * DEGREE;
/** Acceleration of the drives. The driver's planner uses less; the firmware allows this. */
export const JOINT_ACCELERATION_MAX = 6;
/** Torque at a joint, behind its gear, newton metres. */
export const JOINT_EFFORT_MAX = 40;

export const ARM_JOINTS: readonly ArmJoint[] = [
  joint(1, [0, 0, 0], [Math.PI, 0, 0], [0, 0, 1], [-170, 170], 0.88065),
  joint(2, [0, 0.0642, -0.16977], [QUARTER, 0, -QUARTER], [0, 0, -1], [-42, 90], 0.57738),
  joint(3, [0, -0.305, 0.007], [0, 0, Math.PI], [0, 0, -1], [-89, 52], 0.1787),
  joint(4, [0, 0, 0], [QUARTER, 0, -QUARTER], [0, 0, -1], [-180, 180], 0.34936),
  joint(5, [0, 0, -0.22263], [Math.PI, 0, -QUARTER], [1, 0, 0], [-105, 105], 0.11562),
  joint(6, [0, 0, 0.041], [0, 0, Math.PI], [0, 0, 1], [-180, 180], 0.013863),
];

export const JOINT_NAMES: readonly string[] = ARM_JOINTS.map(({ name }) => name);
export const GRIPPER_NAME = 'gripper';
/** In the order of commands and of joint states. */
export const ALL_NAMES: readonly string[] = [...JOINT_NAMES, GRIPPER_NAME];

/** A parallel gripper on the flange; `gripper` is the opening between its jaws. */
export const GRIPPER = {
  openingMax: 0.07,
  /** Speed of the opening, metres per second. */
  speedMax: 0.1,
  /** Between the jaws, newtons. */
  effortMax: 15,
  /** Along the z axis of `tool0`: where the jaws start and end, and the middle of what they hold. */
  jawsFrom: 0.04,
  jawsTo: 0.1,
  grasp: 0.085,
} as const;

export const CUBE = { side: 0.04, mass: 0.05 } as const;

/** Where an arm starts and rests: over the table, gripper downwards and open. */
export const HOME: readonly number[] = [0, 0.15, 0.1, 0, 1.3208, 0, GRIPPER.openingMax];

export type CameraModel = {
  readonly name: string;
  readonly frame: string;
  readonly width: number;
  readonly height: number;
  /** Vertical field of view, radians. */
  readonly fovY: number;
  /** The link that carries it, its place there and the point it looks at, metres in that link. */
  readonly link: string;
  readonly at: readonly [number, number, number];
  readonly towards: readonly [number, number, number];
  readonly up: readonly [number, number, number];
};

/** One that looks at the table from its far side, and one at the wrist that sees between the jaws. */
export const CAMERAS: readonly CameraModel[] = [
  {
    name: 'front',
    frame: 'camera_front',
    width: 320,
    height: 240,
    fovY: 55 * DEGREE,
    link: 'base_link',
    at: [0.15, -1, 0.6],
    towards: [0, -0.2, 0.16],
    up: [0, 0, 1],
  },
  {
    name: 'wrist',
    frame: 'camera_wrist',
    width: 320,
    height: 240,
    fovY: 70 * DEGREE,
    link: 'link_6',
    at: [0, 0.075, 0],
    towards: [0, 0, 0.12],
    up: [0, 1, 0],
  },
];

export const ARM_FRAMES = { base: 'base_link', tool: 'tool0' } as const;

/** One physics step: joint states (10 ms) and control at 20 Hz are whole numbers of it. */
export const ARM_STEP_NS = 5_000_000n;
/** One window: a sample of the joint states. */
export const ARM_WINDOW_NS = 10_000_000n;

function joint(
  number: number,
  xyz: ArmJoint['xyz'],
  rpy: ArmJoint['rpy'],
  axis: ArmJoint['axis'],
  degrees: readonly [number, number],
  mass: number,
): ArmJoint {
  const [lower, upper] = [degrees[0] * DEGREE, degrees[1] * DEGREE];
  return { name: `joint_${number}`, link: `link_${number}`, xyz, rpy, axis, lower, upper, mass };
}
