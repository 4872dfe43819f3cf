import type {
  AutoStartView,
  EStopState,
  ExecutionStatus,
  LakeInfo,
  LeaseView,
  LinkStatus,
  QuotaView,
  RobotState,
  RunLoad,
  RunState,
  SegmentInfo,
  WireServerView,
} from '../contract/index.ts';

type Part<T> = ({ readonly available: true } & T) | { readonly available: false; readonly reason: string };

/** The answer of `GET /v1/status`, as the command line reads it. */
export type Status = {
  readonly robot_id: string;
  readonly version: string;
  readonly cells: readonly {
    readonly name: string;
    readonly state: string;
    readonly pid?: number;
    readonly restarts: number;
    readonly reason: string;
    readonly rss_bytes: number;
    readonly beat_age_ms: number;
    readonly beat_gap_max_ms: number;
  }[];
  readonly runs: Part<{
    readonly ready: boolean;
    readonly apps: readonly string[];
    readonly runs: readonly RunState[];
    /** Applications that take no intents, each with the reason. */
    readonly refused?: Readonly<Record<string, string>>;
    readonly phases: Readonly<Record<string, string>>;
    readonly load?: RunLoad;
    /** Where the intent of this start waits to be accepted, or was refused. */
    readonly auto_start?: AutoStartView;
  }>;
  readonly robot: Part<
    Omit<RobotState, 'time'> & {
      readonly time_ns?: string;
      readonly map_coverage?: number;
      readonly source: ExecutionStatus['source'];
      readonly degraded: readonly string[];
      readonly health: {
        readonly diagnostics: readonly { readonly name: string; readonly level: string }[];
        readonly joints: Readonly<Record<string, { readonly position: number }>>;
      };
      readonly estop?: EStopState;
      readonly lease?: LeaseView;
      readonly arm?: { readonly connected: boolean; readonly motion: string };
    }
  >;
  readonly recorder: Part<{
    readonly state: string;
    readonly reason: string;
    readonly received: number;
    readonly written: number;
    readonly dropped: number;
    readonly messages_per_second: number;
    readonly bytes: number;
    readonly segments: readonly SegmentInfo[];
  }>;
  /** Absent where none is configured. */
  readonly quotas?: readonly QuotaView[];
  /** In the order in which they are asked; absent where none is configured. */
  readonly models?: readonly { readonly name: string; readonly state: string; readonly reason: string }[];
  /** Servers for clients of other protocols; absent where none is open. */
  readonly wires?: readonly WireServerView[];
  readonly control: Part<ExecutionStatus['control']>;
  readonly zenoh: Part<ExecutionStatus['zenoh']>;
  readonly lake: Part<
    Partial<LakeInfo> & {
      readonly ready: boolean;
      readonly reason: string;
      readonly lag: Readonly<Record<string, number>>;
    }
  >;
  readonly link: Part<LinkStatus>;
};

/** Whether it is an arm without a base that could be missed, such as one on a table. */
export function isArmAlone({ arm, connected, pose }: Extract<Status['robot'], { available: true }>): boolean {
  return arm?.connected === true && !connected && pose === undefined;
}
