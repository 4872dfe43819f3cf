import type { PutResult } from './action-queue.ts';

/** Minimum time between two reports of one reason, milliseconds, and how many reasons are distinguished in a run. */
const EVERY_MS = 1_000;
const REASONS_MAX = 64;

/** What is reported of chunks that are refused; others that were not taken are only counted. */
export const REFUSED_CHUNKS: Partial<Record<PutResult, string>> = {
  not_finite: 'an action chunk with a number that is not finite',
  misshapen: 'an action chunk of the wrong shape',
  far_outside: 'an action chunk with an action far outside its limits (outside_max)',
};

/** Refusals of one controller: one receipt a second for each reason, not one for each step. */
export class RefusalLog {
  readonly #reportedMs = new Map<string, number>();

  clear(): void {
    this.#reportedMs.clear();
  }

  /** Whether this one is to be reported. */
  isDue(reason: string, nowMs: number): boolean {
    const reported = this.#reportedMs;
    if (nowMs - (reported.get(reason) ?? -Infinity) < EVERY_MS) return false;
    if (!reported.has(reason) && reported.size >= REASONS_MAX) return false;
    reported.set(reason, nowMs);
    return true;
  }
}
