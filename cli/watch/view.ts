import type { RunDetails } from '../../contract/core.ts';
import type { Status } from '../status-view.ts';

/** One tool call of the run that is watched. `ok` is absent while the call runs. */
export type CallSeen = {
  readonly call_id: string;
  readonly tool: string;
  readonly args: string;
  readonly ok?: boolean;
  readonly result?: string;
  readonly duration_ms?: number;
};

/** A decision that did not simply allow. */
export type DecisionSeen = {
  readonly decision: string;
  readonly point: string;
  readonly subject: string;
  readonly reason: string;
};

export type EventSeen = {
  readonly at_ms: number;
  readonly cell: string;
  readonly kind: string;
  readonly text: string;
};

export type RunSeen = {
  readonly run_id: string;
  readonly intent: string;
  readonly status: string;
  readonly phase: string;
  /** Why it stands in this phase, or why it ended. */
  readonly reason: string;
  /** Milliseconds since the epoch; absent while it is queued. */
  readonly started_ms?: number;
  readonly finished_ms?: number;
  readonly calls: readonly CallSeen[];
  readonly decisions: readonly DecisionSeen[];
};

/** `bad` keeps the robot from working; `warn` deserves a look. */
export type Alert = { readonly level: 'bad' | 'warn'; readonly text: string };

/** What is known of the robot at one moment. Times are milliseconds since the epoch. */
export type WatchView = {
  readonly now_ms: number;
  /** When the daemon answered last; absent before its first answer. What is shown is of that moment. */
  readonly as_of_ms?: number;
  /** Since when it does not answer, and why; absent while it does. */
  readonly away?: { readonly since_ms: number; readonly reason: string };
  /** The end of its last absence. */
  readonly back?: { readonly at_ms: number; readonly after_ms: number };
  readonly url: string;
  readonly status?: Status;
  readonly alerts: readonly Alert[];
  /** Running, waiting and paused ones first; without any the newest that ended. */
  readonly run?: RunSeen;
  /** Other runs that are not finished. */
  readonly others: readonly { readonly intent: string; readonly status: string }[];
  /** Newest last. */
  readonly events: readonly EventSeen[];
};

export type Look = { readonly status: Status; readonly runs: readonly RunDetails[] };
