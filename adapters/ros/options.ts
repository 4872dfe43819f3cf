import type { QosEvent } from './wire.ts';

/** How the adapter finds ROS and what its node is called. Everything has a default. */
export type RosOptions = {
  /** Name of the node in the ROS graph. */
  readonly node?: string;
  /** ROS namespace of the node; relative topic names would resolve in it. */
  readonly namespace?: string;
  /** Folder of the rclnodejs package; else AURAISON_RCLNODEJS, else the installed dependency. */
  readonly rclnodejs?: string;
  /** Added to the environment of the ROS host, for example AMENT_PREFIX_PATH, ROS_DOMAIN_ID. */
  readonly env?: Readonly<Record<string, string>>;
  /** A velocity command older than this is answered by a stop, milliseconds; LIMITS.COMMAND_EXPIRY_MS if unset. */
  readonly commandExpiryMs?: number;
  /**
   * Keeps a second host ready once velocity is advertised, so that a robot whose host died is stopped within
   * milliseconds and not after a start and a discovery (about a second). Default true.
   */
  readonly standby?: boolean;
  /** The clock of the node follows /clock, and so do the times at which samples are received. */
  readonly useSimTime?: boolean;
  /** Where the small helper library is compiled to, once; without it a folder of the user's cache. */
  readonly nativeDir?: string;
  /** Endpoints that do not fit, missed deadlines, lost publishers: each as it happens. */
  readonly onQosEvent?: (event: QosEvent) => void;
  /** Messages of the host for operators. */
  readonly report?: (level: 'info' | 'warn' | 'error', message: string) => void;
};

export const ROS_LIMITS = {
  /**
   * Publishers of a type that is not installed have this long to send its definition before the subscription,
   * milliseconds.
   */
  LEARN_MS: 5_000,
  /**
   * Loading rclnodejs and joining the graph takes below a second on a quiet machine. At load 15 on two cores 20 s were
   * not enough once, milliseconds.
   */
  START_MS: 60_000,
  /** Making the message classes of a full ROS installation, once, milliseconds. */
  GENERATE_MS: 300_000,
  /** One subscription or publication, milliseconds. */
  REQUEST_MS: 5_000,
  /** Stop message, leaving the graph, exit; then the host is killed, milliseconds. */
  CLOSE_MS: 800,
  /** First restart of a dead host, milliseconds: a moving robot waits for its stop. Doubles up to LIMITS. */
  RESTART_FIRST_MS: 20,
  /** The standby starts when the start of everything else is over, and again after it died, milliseconds. */
  STANDBY_AFTER_MS: 500,
  STANDBY_RETRY_MS: 5_000,
  /** Outgoing bytes waiting for the host; above it commands are refused, since they would be old. */
  OUTGOING_BYTES_MAX: 1024 * 1024,
  /** Outgoing bytes waiting for the host; above that API calls are refused. A request with a map fits. */
  OUTGOING_API_BYTES_MAX: 32 * 1024 * 1024,
  /** After this a channel number of a topic that was let go may name another one, milliseconds. */
  CHANNEL_REST_MS: 5_000,
  /** Topics and kinds of events about quality of service that are remembered; then the oldest goes. */
  QOS_EVENTS_MAX: 1_024,
  /** What is kept of the host's stderr to explain its end, characters. */
  STDERR_CHARS_MAX: 2_000,
} as const;
