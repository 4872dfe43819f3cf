import { AsyncLocalStorage } from 'node:async_hooks';
import type { Timer } from '../../contract/index.ts';

/** Shorter periods drive motions or count down, and keep their own phase, milliseconds. */
const PERIOD_MS_MIN = 100;
/** Longer periods fall on whole seconds. */
const GRID_MS_MAX = 1_000;
/** A period that shares no divisor of this size with a second gains nothing from a grid. */
const GRID_MS_MIN = 50;
/** The host fires a timer up to this much early, since its loop counts whole milliseconds. */
const EARLY_MS = 1;

type Beat = { readonly ms: number; dueMs: number; readonly fire: () => void };

/** The grid on which a period falls, milliseconds; undefined where it keeps its own phase. */
export function gridOf(ms: number): number | undefined {
  if (!Number.isInteger(ms) || ms < PERIOD_MS_MIN) return undefined;
  let [grid, rest] = [GRID_MS_MAX, ms];
  while (rest > 0) [grid, rest] = [rest, grid % rest];
  return grid < GRID_MS_MIN ? undefined : grid;
}

/**
 * Periodic timers of one thread that fire together: each on a multiple of its grid of the monotonic clock, so that a
 * thread with ten timers wakes as often as its fastest one asks for. The first call comes up to half a grid earlier or
 * later than a period from now. Missed calls are not made up for.
 */
export class Beats {
  readonly #nowMs: () => number;
  readonly #beats = new Set<Beat>();
  #timer: NodeJS.Timeout | undefined;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** `grid`: as `gridOf` gave it for `ms`. */
  add(ms: number, grid: number, fire: () => void): Timer {
    const dueMs = Math.round((this.#nowMs() + ms) / grid) * grid;
    // As with a timer of its own, the call runs in the context of its caller.
    const beat: Beat = { ms, dueMs, fire: AsyncLocalStorage.bind(fire) };
    this.#beats.add(beat);
    this.#schedule();
    return {
      cancel: () => {
        if (this.#beats.delete(beat) && this.#beats.size === 0) this.#schedule();
      },
    };
  }

  #schedule(): void {
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#beats) nextMs = Math.min(nextMs, dueMs);
    if (this.#timer && nextMs === this.#timerMs) return;
    clearTimeout(this.#timer);
    this.#timerMs = nextMs;
    const inMs = Math.max(1, Math.ceil(nextMs - this.#nowMs()));
    this.#timer = nextMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => this.#fire(), inMs);
  }

  #fire(): void {
    this.#timer = undefined;
    const nowMs = this.#nowMs() + EARLY_MS;
    const due = [...this.#beats].filter(({ dueMs }) => dueMs <= nowMs);
    for (const beat of due) beat.dueMs += beat.ms * (1 + Math.floor((nowMs - beat.dueMs) / beat.ms));
    this.#schedule();
    for (const beat of due) {
      // An earlier call of this turn may have cancelled it.
      if (!this.#beats.has(beat)) continue;
      try {
        beat.fire();
      } catch (error) {
        // The others are not to suffer from it; it ends the process as a timer that throws does.
        process.nextTick(() => {
          throw error;
        });
      }
    }
  }
}
