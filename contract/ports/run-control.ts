import type { PolicyContext } from '../intent.ts';
import type { RunState } from '../run-state.ts';
import type { ThinkingLevel } from './language-model.ts';
import type { RunDetails } from './runtime-api.ts';

/** A message to a run in progress. */
export type RunMessage =
  /** Between two turns, before the next call of a model. */
  | { readonly kind: 'steer'; readonly text: string }
  /** When the agent would otherwise finish. */
  | { readonly kind: 'follow_up'; readonly text: string }
  /** From the next turn on. */
  | { readonly kind: 'model'; readonly model: string }
  /** From the next turn on; of models that reason. */
  | { readonly kind: 'thinking'; readonly level: ThinkingLevel }
  /**
   * Of an attended run: ends what it does now, with its motion, and drops what it has not heard yet. Then it waits for
   * the next message. Settles when the running calls have ended. No policy can deny it.
   */
  | {
      readonly kind: 'stop';
      /** The words of the person, where it was said in words. */
      readonly text?: string;
    }
  /** Of an attended run: it ends, as succeeded, once it waits. */
  | { readonly kind: 'close' }
  | { readonly kind: 'compact'; readonly text?: string }
  | { readonly kind: 'label'; readonly entryId: string; readonly text: string };

/** One entry of a session tree, as people look at it. */
export type SessionEntryView = {
  readonly entry_id: string;
  readonly parent_id: string | undefined;
  readonly kind: string;
  readonly ts: string;
  /** First line of its text, shortened. */
  readonly text: string;
  readonly label: string | undefined;
  /** Where the run stands: the next entry hangs below this one. */
  readonly leaf: boolean;
};

export type ForkOptions = {
  readonly text?: string;
  readonly model?: string;
  /** Repeating a fork under the same key gives the same run. */
  readonly idempotencyKey?: string;
};

/** Control of runs, current and past. Every call is durable before it is answered, and may be repeated. */
export interface RunControlApi {
  /**
   * Stops the robot, then pauses the run and the runs that it opened. A paused run keeps its slot, its
   * deadline keeps counting, and it stays paused over a restart. `by`: the principal that asked, for the log. The
   * state has `stop_confirmed: false` where it was not confirmed that the robot stands. A run that waits is held
   * where it waits. `run.not_found`, `run.finished`.
   */
  pause(runId: string, reason: string, by?: string): Promise<RunState>;
  /** Continues a paused run, and the runs that were paused with it. */
  resume(runId: string, reason?: string, by?: string): Promise<RunState>;
  /**
   * Words that are an order to stop (`isStopOrder`) stop the robot at once, before anything else is looked at, and every
   * other run. A session hears of the stop and waits for what is said next; any other run is cancelled. A stop that is
   * sent again stops again. It rejects only where it may not have reached the robot; the state has `stop_confirmed:
   * false` where it was not confirmed that the robot stands. All else: `run.not_supported` where the harness of the run does not take this kind, `run.finished`, `policy.denied`,
   * `cell.overloaded` where too much waits to be taken. Said twice under one
   * `messageId` it counts once.
   */
  message(
    runId: string,
    message: RunMessage,
    who: PolicyContext,
    options?: { readonly messageId?: string },
  ): Promise<RunState>;
  /** The tree of a run's session, oldest first; empty where its harness has none. */
  session(runId: string): readonly SessionEntryView[];
  /**
   * Opens a new run that continues from an entry of a run's session, with another message where one is given. Words that
   * are an order to stop stop the robot and open no run: `robot.preempted`.
   */
  fork(runId: string, entryId: string, who: PolicyContext, options?: ForkOptions): Promise<RunState>;
  /** A run and the runs it opened, parents before children. */
  tree(runId: string): readonly RunDetails[];
}
