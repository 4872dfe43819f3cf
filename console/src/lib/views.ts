/** What the API answers, as far as pages read it: names as on the wire (`GET /openapi.json` has all of it). */
import type { RunStatus } from '../../../contract/run-state.ts';
import type { JsonValue } from './json.ts';

export type RunState = {
  readonly run_id: string;
  readonly status: RunStatus;
  readonly harness: string;
  readonly attempt: number;
  readonly intent_id?: string;
  readonly parent_run_id?: string;
};

export type RunDetails = {
  readonly run: RunState;
  readonly app: string;
  readonly intent?: {
    readonly type: string;
    readonly params?: Readonly<Record<string, JsonValue>>;
    readonly attended?: boolean;
  };
  readonly phase?: string;
  readonly queued_ts: string;
  readonly started_ts?: string | null;
  readonly finished_ts?: string | null;
  readonly reason: string;
  readonly summary?: Readonly<Record<string, JsonValue>>;
  readonly error?: { readonly code?: string; readonly message?: string };
};

export type Part<T> =
  | ({ readonly available: true } & T)
  | { readonly available: false; readonly reason?: string };

export type StopState = {
  readonly engaged: boolean;
  readonly source: string;
  readonly by: string;
  readonly reason: string;
  readonly press?: string;
};

export type Lease = {
  readonly state: 'free' | 'held' | 'stopping';
  readonly lease_id?: number;
  readonly holder?: string;
  readonly role?: string;
  readonly remaining_ms?: number;
};

export type Pose = { readonly x: number; readonly y: number; readonly yaw: number };

export type RobotPart = {
  readonly connected?: boolean;
  readonly pose?: Pose | null;
  readonly motion?: string;
  readonly twist?: { readonly linear: number; readonly angular: number } | null;
  readonly distance?: number;
  readonly bumps?: number;
  readonly map_coverage?: number | null;
  readonly arm?: { readonly connected: boolean; readonly motion: string };
  readonly estop?: StopState;
  readonly lease?: Lease;
};

export type Cell = {
  readonly name: string;
  readonly state: string;
  readonly reason?: string;
  readonly restarts: number;
};

export type RunsPart = {
  readonly apps?: readonly string[];
  readonly runs?: readonly RunState[];
  readonly phases?: Readonly<Record<string, string>>;
  readonly load?: { readonly paused?: readonly { readonly run_id: string; readonly reason: string }[] };
};

export type RecorderPart = {
  readonly state: string;
  readonly reason?: string;
  readonly received: number;
  readonly written: number;
  readonly dropped: number;
  readonly messages_per_second: number;
  readonly segments?: readonly unknown[];
};

export type Model = { readonly name: string; readonly state: string; readonly reason: string };

export type Status = {
  readonly robot_id: string;
  readonly version: string;
  readonly cells: readonly Cell[];
  readonly log_seq?: Readonly<Record<string, number>>;
  readonly runs: Part<RunsPart>;
  readonly robot: Part<RobotPart>;
  readonly recorder: Part<RecorderPart>;
  readonly models?: readonly Model[];
};

export type GridMap = {
  readonly width: number;
  readonly height: number;
  readonly resolution: number;
  readonly origin: Pose;
  /** Base64 of signed bytes, row by row from the origin: -1 unknown, 0 free to 100 occupied. */
  readonly cells: string;
};
