import type { Aggregation, Starvation } from '../../../contract/core.ts';

/** How an image of another size becomes what the policy takes. `pad`: black bars, `crop`: what juts out is cut. */
export type PictureFit = 'stretch' | 'crop' | 'pad';

/** One input of a policy and where it comes from. Several of the same name are one vector, in this order. */
export type InputSpec = {
  /** As the policy calls it, for example `observation.state` or `observation.images.front`. */
  readonly name: string;
  readonly topic: string;
  /** Of sensor_msgs/JointState: these joints in this order; empty: all of the message. */
  readonly joints: readonly string[];
  readonly field: 'position' | 'velocity' | 'effort';
  /** An input older than this is stale, milliseconds. */
  readonly ageMaxMs: number;
  readonly fit: PictureFit;
  /** Of the camera's image, pixels [x, y, width, height], before it is resized; empty: all of it. */
  readonly crop: readonly number[];
};

/** What the numbers of an action are: joint positions, joint velocities, or forward and turning speed of a base. */
export type OutputKind = 'positions' | 'velocities' | 'twist';

/** A controller as it is configured; plain data, it travels to the thread. Milliseconds, radians, metres. */
export type ControllerSpec = {
  readonly name: string;
  readonly rateHz: number;
  /** Empty: the default policy. */
  readonly policy: string;
  readonly output: {
    readonly topic: string;
    readonly kind: OutputKind;
    /** Kind twist: geometry_msgs/TwistStamped instead of Twist. */
    readonly stamped: boolean;
    /** One for each number of an action. */
    readonly names: readonly string[];
  };
  /** sensor_msgs/JointState that the gate judges by; empty: nothing is measured. */
  readonly state: string;
  /** Measured joints older than this stop the controller, milliseconds. */
  readonly stateAgeMaxMs: number;
  readonly inputs: readonly InputSpec[];
  readonly aggregation: Aggregation;
  /** Of `temporal_ensemble`: weight exp(-coefficient * i), i = 0 for the oldest. */
  readonly ensembleCoefficient: number;
  /** Share of a chunk that is left when the next is asked for, 0 to 1. */
  readonly threshold: number;
  /** Actions taken of one chunk; 0: as many as the measured delay asks for. */
  readonly horizon: number;
  /** No action is used later than this after the observation that it is made from, milliseconds. */
  readonly horizonMaxMs: number;
  /** An action further outside of its limits than this many times their range refuses its chunk. */
  readonly outsideMax: number;
  /** Chunks that come late take over gradually, over as many steps as they were late. */
  readonly blend: boolean;
  /** Between two actions of a policy that is slower than the controller: on the line between them, or the first. */
  readonly interpolate: boolean;
  readonly inferTimeoutMs: number;
  readonly starvation: Starvation;
  /** `decelerate`: from the last speed to standing in this time, milliseconds. */
  readonly decelerateMs: number;
  /** `retract`: where to, by `output.names`, and how fast each joint goes, units per second. */
  readonly retract: readonly number[];
  readonly retractSpeed: number;
};

/** Numbers of one action at most: two arms with hands have fewer. */
export const DIMENSION_MAX = 64;
/** Controllers of one daemon. */
export const CONTROLLERS_MAX = 16;
/** Actions of one chunk: 20 s at 50 Hz. */
export const HORIZON_MAX = 1_024;
