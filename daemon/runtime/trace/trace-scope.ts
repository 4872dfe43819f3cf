import { AsyncLocalStorage } from 'node:async_hooks';
import type { EdgeError } from '../../../contract/index.ts';

/** The tool call that is being worked for. */
export type CallScope = {
  /** W3C trace context of the call. */
  readonly traceparent: string;
  readonly runId?: string;
  /** The run, where an agent decides in it: see `StopNews.run`. */
  readonly agentOf?: string | undefined;
  /** When the call was made, by the clock of the host; later where a paused run continued since. */
  readonly wantedAtMs?: number;
  /**
   * The robot refused a motion since somebody has the lease. Where that holder is above the rank of an agent the run
   * pauses, and this settles when it continues. Rejects with `refusal` where waiting does not help.
   */
  readonly waitForRobot?:
    | ((refusal: EdgeError, signal: AbortSignal | undefined) => Promise<void>)
    | undefined;
};

const current = new AsyncLocalStorage<CallScope>();

/** Runs `work` so that whatever it asks of others is known as its: see `currentCall`. */
export function inCall<T>(scope: CallScope, work: () => T): T {
  return current.run(scope, work);
}

/** Undefined outside of a tool call. */
export function currentCall(): CallScope | undefined {
  return current.getStore();
}
