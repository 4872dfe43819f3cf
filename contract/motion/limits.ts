/**
 * Limits of every motion, for every caller. They are plausibility limits of the protocol: values that no robot of this
 * kind needs in one motion. The limits of one robot (speed, joints, workspace) are those of its gate.
 */
export const MOTION_LIMITS = {
  /** Distance of a goal from the origin of `map`, metres. */
  PLACE_M: 10_000,
  /** A heading of more than a turn was meant in degrees, radians. */
  YAW_RAD: 6.3,
  /** Distance from the goal that counts as reached, metres. Bases are not more precise. */
  TOLERANCE_M_MIN: 0.02,
  TOLERANCE_M_MAX: 10,
  /** Robot time of one motion, milliseconds. Anything longer than an hour is several motions. */
  TIMEOUT_MS_MAX: 3_600_000,
  /** Places to pass on the way of one drive. */
  VIA: 100,
  /** A drive without a map, metres; longer ways need the map. */
  DRIVE_M: 5,
  /** A turn on the spot, radians: almost four turns. */
  SPIN_RAD: 25,
  /** Standing still, milliseconds. */
  WAIT_MS: 600_000,
  /** Points of one trajectory, and joints of one arm. */
  POINTS: 10_000,
  JOINTS: 64,
  /** Position of a joint, radians or metres: sixteen turns of a joint without ends. */
  JOINT: 100,
  /** Time for a move to one set of joint positions, milliseconds. */
  MOVE_MS_MIN: 200,
  MOVE_MS_MAX: 300_000,
  /** Opening of a gripper, metres, and its force, newtons. */
  OPENING_M: 1,
  EFFORT_N: 1_000,
} as const;

/** Defaults of a motion. */
export const MOTION_DEFAULTS = {
  TOLERANCE_M: 0.25,
  NAVIGATE_MS: 120_000,
  MOVE_MS: 4_000,
  GRIPPER_MS: 15_000,
} as const;
