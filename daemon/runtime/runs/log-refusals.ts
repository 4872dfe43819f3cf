import { EdgeError, type ErrorCode } from '../../../contract/index.ts';
import { isMisfit } from './held-end.ts';

/** Errors by which the log refused something of a run, with that run. */
const refusedIn = new WeakMap<EdgeError, string>();
/** Errors around errors are looked into this deep. */
const CAUSES_MAX = 8;

/** Why the log refused something of one attempt that it would take at another time. One error of each code is kept. */
export class LogRefusals {
  readonly #byCode = new Map<ErrorCode, EdgeError>();

  /** Answers what is to be thrown. What no log would ever take is no refusal. */
  note(thrown: unknown, runId: string): unknown {
    if (isMisfit(thrown)) return thrown;
    const error = EdgeError.from(thrown, 'log.failed', 'append', 'log');
    refusedIn.set(error, runId);
    if (!this.#byCode.has(error.code)) this.#byCode.set(error.code, error);
    return error;
  }

  /** The one that ended the work: one that its caller got, and tolerated, does not. */
  cutOff(fault: EdgeError | undefined): EdgeError | undefined {
    return fault && this.#byCode.get(fault.code);
  }
}

/** It is no failure of the work: the log refused an event of this run, which continues where the log is. */
export function isRefusalOfLog(thrown: unknown, runId: string): boolean {
  let error = thrown;
  for (let depth = 0; depth < CAUSES_MAX && error instanceof EdgeError; depth++) {
    if (refusedIn.get(error) === runId) return true;
    error = error.cause;
  }
  return false;
}

/** Whether an error is one by which the log refused anything, of whichever run. */
export function isAnyRefusalOfLog(thrown: unknown): boolean {
  let error = thrown;
  for (let depth = 0; depth < CAUSES_MAX && error instanceof EdgeError; depth++) {
    if (refusedIn.has(error)) return true;
    error = error.cause;
  }
  return false;
}
