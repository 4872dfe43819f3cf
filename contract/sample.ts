import type * as cells from './bodies/cells.ts';
import type { BodyOf } from './bodies/kit.ts';
import type * as ros from './bodies/ros.ts';
import type { Nanoseconds } from './time.ts';

export * from './drop-reasons.ts';

/**
 * One message as received. `bytes` are the message as it travelled (CDR for ROS 2, 4 bytes of encapsulation
 * first). The receiver of a Sample owns its bytes and never changes them; they may be shared.
 */
export type Sample = {
  /** ROS name with its leading slash, for example `/scan`. */
  readonly topic: string;
  /** ROS type, for example `sensor_msgs/msg/LaserScan`. */
  readonly type: string;
  /** When it was measured: the header stamp where the type has one, else `received`. */
  readonly stamp: Nanoseconds;
  /** When it entered this host, by the clock of the source (simulation time in simulation). */
  readonly received: Nanoseconds;
  readonly bytes: Uint8Array;
  /**
   * Of a command: until when it counts, `Clock.monotonicMs` of this host. Who gets it later drops it. A stop has none.
   */
  readonly expiresAtMs?: number;
};

/** Quality of service of a topic, by the names of ROS 2. */
export type Qos = BodyOf<typeof ros.Qos>;

export const DEFAULT_QOS: Qos = {
  reliability: 'reliable',
  durability: 'volatile',
  history: 'keep_last',
  depth: 200,
};
export const SENSOR_QOS: Qos = {
  reliability: 'best_effort',
  durability: 'volatile',
  history: 'keep_last',
  depth: 10,
};
export const LATCHED_QOS: Qos = {
  reliability: 'reliable',
  durability: 'transient_local',
  history: 'keep_last',
  depth: 1,
};

export type TopicSpec = {
  readonly topic: string;
  readonly type: string;
  readonly qos: Qos;
  /**
   * What is sent there are speeds of so many joints, which keep each until the next one: the carrier has to
   * stop them, as it does a base. Velocities of a base are known by their type.
   */
  readonly speeds?: number;
  /**
   * What its publishers offer, as the YAML list `offered_qos_profiles` of rosbag2, for a recording; absent: `qos`. What the
   * middleware does not report stays `unknown`, with depth 0. `qos` is how this host subscribes.
   */
  readonly offered?: string;
};

/** The hop that every sample of the bus takes: into the recorder. Other hops are `route:<name>`. */
export const RECORDER_HOP = 'recorder';

/**
 * One line of the loss ledger, for one topic and one hop: received = forwarded + written + the sum of dropped,
 * exact whenever nothing is in flight. A recorder writes, a route forwards.
 */
export type LedgerLine = BodyOf<typeof cells.LedgerLine>;

export const COMPARISONS = ['<', '<=', '>', '>=', '==', '!='] as const;

/** A condition on a field of a topic that records a clip when it becomes true (`[[recorder.triggers]]`). */
export type TriggerSpec = {
  readonly name: string;
  readonly topic: string;
  /** Path within the decoded message, for example `pose.pose.position.x` or `ranges[3]`. */
  readonly field: string;
  readonly is: (typeof COMPARISONS)[number];
  readonly threshold: number;
  /** Milliseconds; absent: `recorder.clip_pre` and `recorder.clip_post`. */
  readonly preMs?: number;
  readonly postMs?: number;
  /** After it fired it rests this long, milliseconds. */
  readonly cooldownMs: number;
};
