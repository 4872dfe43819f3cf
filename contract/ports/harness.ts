import type { NewEvent } from '../agent-event.ts';
import type { ErrorBody } from '../errors.ts';
import type { Intent } from '../intent.ts';
import type { Clock } from './clock.ts';
import type { LanguageModel } from './language-model.ts';
import type { LoopRound } from './loop.ts';
import type { Robot } from './robot.ts';
import type { RunMessage } from './run-control.ts';
import type { RunTools } from './run-tools.ts';
import type { ToolBox } from './tool.ts';

/** One entry of a session tree as it is in the log. Images are referred to by the hash of their blob. */
export type SessionEntry = {
  readonly entryId: string;
  readonly parentId: string | undefined;
  readonly entry: Readonly<Record<string, unknown>>;
};

/** A call that an earlier attempt made in the phase that it was in. */
export type PastCall = {
  readonly tool: string;
  /** Canonical JSON. */
  readonly args: string;
  /** The id that the harness gave it (`originId` of `ToolBox.call`). */
  readonly originId: string | undefined;
  /** Undefined: it was interrupted. */
  readonly answer:
    | { readonly ok: true; readonly result: Readonly<Record<string, unknown>> }
    | { readonly ok: false; readonly error: ErrorBody }
    | undefined;
};

/** What a run may use. Every effect goes through `robot` or `tools`, which apply policies, log it and limit it. */
export type RunContext = {
  readonly runId: string;
  readonly intent: Intent;
  readonly attempt: number;
  /** Aborts on cancel and on shutdown. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** The robot as this run sees it: each call is a gated, logged tool call. */
  readonly robot: Robot;
  readonly tools: RunTools;
  /** The tools that a model may choose from: each call is judged, bounded and in the log. */
  readonly toolBox: ToolBox;
  /**
   * Models for this run: each call is judged, counted against its tenant, bounded and in the log. Undefined where none
   * is configured.
   */
  readonly model: LanguageModel | undefined;
  /** What the log holds of the session of this run, in order: entries as they were emitted by `session.entry`. */
  readonly session: readonly SessionEntry[];
  /** How many of them, from the first, belong to the run that this one was forked from. */
  readonly inherited: number;
  /**
   * Registers a handler for messages of people to the run. A harness that does not call this takes none. Earlier
   * messages are delivered at once. What the handler returns settles when the message counts; undefined: it does.
   */
  onMessage(
    handler: (message: RunMessage & { readonly messageId: string }) => Promise<void> | undefined,
  ): void;
  /** Resolves at once unless the run is paused; then when it continues. Rejects when it ends. Ask between two steps. */
  unpaused(): Promise<void>;
  /**
   * How long this attempt was paused so far, milliseconds: deadlines of steps leave it out. Absent: it cannot be
   * paused.
   */
  readonly pausedMs?: () => number;
  /** Where an earlier attempt was interrupted; undefined on the first. */
  readonly resume: { readonly phase: string; readonly facts: Readonly<Record<string, unknown>> } | undefined;
  /** For a branch of a flow: where it starts, and with which facts. Absent: the run is a whole flow. */
  readonly branch?: { readonly start: string; readonly facts: Readonly<Record<string, unknown>> } | undefined;
  /** For a round of an outer loop: which one, and what was wrong before. Absent: the run is no round. */
  readonly round?: LoopRound | undefined;
  /** Calls of earlier attempts since the phase of `resume`, in order; absent: none. */
  readonly past?: readonly PastCall[];
  /** Appends to the log; resolves when durable. */
  emit(events: readonly NewEvent[]): Promise<void>;
};

export type RunOutcome = {
  readonly status: 'succeeded' | 'failed' | 'cancelled';
  readonly reason: string;
  readonly score?: number;
  readonly summary: Readonly<Record<string, unknown>>;
};

/** What executes a run. `execute` rejects only for defects; a mission that failed is an outcome. */
export interface Harness {
  readonly kind: 'pi' | 'flow' | 'remote';
  execute(context: RunContext): Promise<RunOutcome>;
}
