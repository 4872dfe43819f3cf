/** What the base may do and how large it is; in `base_link`, SI units. */
export type DriveLimits = {
  /** m/s forwards; m/s backwards (positive). */
  readonly linearMax: number;
  readonly reverseMax: number;
  /** rad/s either way. */
  readonly angularMax: number;
  /** m/s² while gaining speed; while losing it on purpose. */
  readonly linearAccel: number;
  readonly linearDecel: number;
  /** rad/s². */
  readonly angularAccel: number;
  /** Metres; the base is a disc around `base_link`. */
  readonly radius: number;
  /** Metres of air that the proximity guard keeps in front of the disc. */
  readonly margin: number;
};

/** A TurtleBot-4-class base, a little below what it can do. */
export const DRIVE_LIMITS: DriveLimits = {
  linearMax: 0.42,
  reverseMax: 0.15,
  angularMax: 1.6,
  linearAccel: 0.8,
  linearDecel: 1.2,
  angularAccel: 5,
  radius: 0.17,
  margin: 0.03,
};
