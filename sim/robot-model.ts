/**
 * A robot of the class of a TurtleBot 4: differential drive, bumper, lidar on top. Metres, radians, seconds,
 * kilograms. `base_link` lies on the floor below the middle of the axle, x forward.
 */
export const ROBOT = {
  name: 'turtlebot4-sim',
  radius: 0.17,
  wheelRadius: 0.036,
  /** Between the points where the wheels touch the floor. */
  wheelSeparation: 0.233,
  mass: 3.9,
  /** Fastest commands; above them a command is refused, as a base's driver does. */
  linearMax: 0.46,
  angularMax: 1.9,
  /** Limits of the motors, for any command. */
  linearAcceleration: 0.9,
  linearBraking: 1.5,
  angularAcceleration: 6,
  /** Mount of the lidar in `base_link`. */
  laser: { x: -0.04, y: 0, z: 0.193, yaw: 0 },
  frames: { base: 'base_link', odom: 'odom', laser: 'laser', maze: 'maze' },
} as const;

export const LIDAR = {
  rays: 360,
  rangeMin: 0.12,
  rangeMax: 8,
  /** Standard deviation of one range. */
  noise: 0.008,
} as const;

/** Wheel odometry: deviations of errors that stay for a whole run, and of those that come with each motion. */
export const ODOMETRY_NOISE = {
  /** Share of the distance; wheels are never as large as their data sheet says. */
  distanceScale: 0.01,
  /** Share of the turned angle; the wheel separation differs too. */
  turnScale: 0.005,
  /** Radians per square root of a metre driven: the heading wanders. */
  headingPerMetre: 0.008,
  /** Radians per square root of a radian turned. */
  headingPerRadian: 0.008,
} as const;

/** One physics step and one control period, nanoseconds. */
export const STEP_NS = 5_000_000n;
export const WINDOW_NS = 50_000_000n;
export const STEPS_PER_WINDOW = Number(WINDOW_NS / STEP_NS);
export const STEP_S = Number(STEP_NS) / 1e9;
/** Simulation time starts here (2025-01-01T00:00:00Z), so that equal runs have equal stamps. */
export const EPOCH_NS = 1_735_689_600_000_000_000n;
