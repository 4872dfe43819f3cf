import type { Nanoseconds } from '../time.ts';

/** A handle of a timer; `cancel` may be called twice. */
export type Timer = { cancel(): void };

/**
 * Time, injected. Two time lines: `now` is wall time and may jump; `monotonicMs` never steps back and is the
 * only one that durations and deadlines are measured with. No call throws or blocks. The system
 * implementation is `adapters/clock`; tests use `test/fakes/manual-clock.ts`.
 */
export interface Clock {
  /** Nanoseconds since the Unix epoch. */
  now(): Nanoseconds;
  /** Milliseconds of CLOCK_MONOTONIC with fractions: one line for all processes and threads of the host. */
  monotonicMs(): number;
  /** Calls `fire` once, not before `ms` have passed. A throwing `fire` is a defect of its owner. */
  after(ms: number, fire: () => void): Timer;
  /**
   * Calls `fire` every `ms` until cancelled; missed ticks are not caught up. The first call may come up to half a period
   * earlier or later, so that the timers of a thread fire together.
   */
  every(ms: number, fire: () => void): Timer;
}
