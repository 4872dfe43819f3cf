import type { ToolChain } from '../../../formats/urdf/index.ts';

/** What one joint may do: radians or metres, per second. */
export type JointLimits = {
  readonly name: string;
  readonly lower: number;
  readonly upper: number;
  readonly velocity: number;
  readonly acceleration: number;
  readonly jerk: number;
  /** Newton metres or newtons, as JointState reports it; beyond it the joint yields. `Infinity`: not watched. */
  readonly effort: number;
};

/** An axis-parallel box in the base frame, metres. */
export type Box = {
  readonly min: readonly [x: number, y: number, z: number];
  readonly max: readonly [x: number, y: number, z: number];
};

/** Where the tool point may be: inside all of `inside`, outside of each of `keepOut`. */
export type Workspace = {
  readonly chain: ToolChain;
  readonly inside: readonly Box[];
  readonly keepOut: readonly Box[];
};

/** Everything a joint gate knows. Plain data: it travels to worker threads as it is. */
export type JointGateSpec = {
  readonly joints: readonly JointLimits[];
  /** Frame that commands may name beside none; joint positions have none of their own. */
  readonly frame: string;
  /**
   * What becomes of a command out of limits: `clamp` applies as much of it as fits, `refuse` none of it. What takes
   * more acceleration or jerk than there may be is smoothed either way: every motion starts so.
   */
  readonly mode: 'clamp' | 'refuse';
  /** Commands per second that are looked at; those in between change nothing. */
  readonly rateMax: number;
  /** After a gap this long the next command starts from the measured position, seconds. */
  readonly gapSeconds: number;
  /** What a trajectory takes for the place where a joint is may be this far from it, radians or metres. */
  readonly startTolerance?: number | undefined;
  readonly workspace?: Workspace | undefined;
};

export type JointVerdict = {
  /** What goes to the robot, in the order of the joints: always finite and within limits. Empty: send nothing. */
  readonly applied: Float64Array;
  readonly verdict: 'passed' | 'limited' | 'refused';
  /** Which limit bit and at which joint, for example `velocity of joint_2`; empty when passed. */
  readonly reason: string;
  /** Index of that joint, -1 where it is about all. */
  readonly joint: number;
};

export type Measured = {
  /** In the order of the joints. */
  readonly positions: ArrayLike<number>;
  /** NaN, or absent, where the robot does not report it. */
  readonly efforts?: ArrayLike<number> | undefined;
};
