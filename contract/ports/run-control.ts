import type { PolicyContext } from '../intent.ts';
import type { RunState } from '../run-state.ts';

/** What can be said to a run that is under way. */
export type RunMessage =
  /** Between two turns, before the next call of a model. */
  | { readonly kind: 'steer'; readonly text: string }
  /** When the agent would otherwise stop. */
  | { readonly kind: 'follow_up'; readonly text: string }
  /** From the next turn on. */
  | { readonly kind: 'model'; readonly model: string }
  | { readonly kind: 'compact'; readonly text?: string }
  | { readonly kind: 'label'; readonly entryId: string; readonly text: string };

/** One entry of a session tree, as people look at it. */
export type SessionEntryView = {
  readonly entry_id: string;
  readonly parent_id: string | undefined;
  readonly kind: string;
  readonly ts: string;
  /** First line of what it says, cut. */
  readonly text: string;
  readonly label: string | undefined;
  readonly leaf: boolean;
};

/** Control of runs that are under way or were. Every call is durable before it is answered, and may be repeated. */
export interface RunControlApi {
  /** Stops the robot, then holds the run where it is; a paused run keeps its slot. `run.not_found`, `run.finished`. */
  pause(runId: string, reason: string): Promise<RunState>;
  /** Goes on with a paused run. */
  resume(runId: string): Promise<RunState>;
  /** `run.not_supported` where the harness of the run does not take this kind. */
  message(runId: string, message: RunMessage, who: PolicyContext): Promise<RunState>;
  /** The tree of a run's session, oldest first; empty where its harness has none. */
  session(runId: string): readonly SessionEntryView[];
  /** Opens a new run that goes on from an entry of a run's session, with another message where one is given. */
  fork(
    runId: string,
    entryId: string,
    who: PolicyContext,
    options?: { readonly text?: string; readonly model?: string },
  ): Promise<RunState>;
}
