import type { ErrorBody, EventPayload, Intent, RunState, ToolCall } from '../../../contract/index.ts';

/** A tool call of the phase a run is in: enough to decide after a cut what may happen to it. */
export type CallView = {
  readonly callId: string;
  readonly tool: string;
  /** Canonical JSON. */
  readonly args: string;
  readonly effect: ToolCall['effect'];
  readonly replay: ToolCall['replay'];
  /** Id that a model gave it. */
  readonly originId: string | undefined;
  /** Undefined while it is open: called, and no answer in the log. */
  readonly answer:
    | {
        readonly ok: true;
        readonly result: Readonly<Record<string, unknown>>;
        readonly images?: EventPayload<'tool.returned'>['images'];
      }
    | { readonly ok: false; readonly error: ErrorBody }
    | undefined;
};

/** Calls of models and tokens in and out; absent: as many as may be. */
export type RunBudget = { readonly turns?: number; readonly tokens?: number };

/** What the log says of one run. Folded, never edited. */
export type RunView = {
  readonly state: RunState;
  readonly intent: Intent;
  readonly app: string;
  /** Of a package: the version that it started with. */
  readonly version: string | undefined;
  readonly digest: string | undefined;
  readonly concurrencyKey: string | undefined;
  readonly forkedFrom: EventPayload<'run.queued'>['forked_from'];
  /** A part of a flow that runs beside others. */
  readonly branch: EventPayload<'run.queued'>['branch'];
  /** A round of an outer loop. */
  readonly round: EventPayload<'run.queued'>['round'];
  /** What it may spend, where another run asked for it. */
  readonly budget: RunBudget;
  readonly spent: Required<RunBudget>;
  readonly phase: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;
  /** Calls since the phase was entered, in order. */
  readonly calls: readonly CallView[];
  readonly queuedTs: string;
  readonly startedTs: string | undefined;
  readonly finishedTs: string | undefined;
  readonly reason: string;
  readonly summary: Readonly<Record<string, unknown>> | undefined;
  readonly error: ErrorBody | undefined;
  /** Attempts in a row that wrote nothing after their `run.started`. */
  readonly idleAttempts: number;
};
