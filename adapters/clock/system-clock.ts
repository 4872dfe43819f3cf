import type { Clock, Nanoseconds, Timer } from '../../contract/index.ts';
import { Beats, gridOf } from './beats.ts';
import { sharedMonotonic } from './shared-monotonic.ts';

const monotonicMs = sharedMonotonic();
/** All periodic timers of this thread. */
const beats = new Beats(monotonicMs);

/**
 * The host's clock: the one place that reads the wall clock and starts timers. `now` has the resolution of
 * the monotonic clock between two looks at the wall clock, so that stamps within a process are fine-grained,
 * and follows the wall clock when it is set.
 */
export class SystemClock implements Clock {
  #wallAtSync = 0n;
  #monotonicAtSync = -Infinity;

  now(): Nanoseconds {
    const monotonic = performance.now();
    if (monotonic - this.#monotonicAtSync > 1_000) {
      this.#wallAtSync = BigInt(Date.now()) * 1_000_000n;
      this.#monotonicAtSync = monotonic;
    }
    return this.#wallAtSync + BigInt(Math.round((monotonic - this.#monotonicAtSync) * 1e6));
  }

  monotonicMs(): number {
    return monotonicMs();
  }

  after(ms: number, fire: () => void): Timer {
    const handle = setTimeout(fire, ms);
    return { cancel: () => clearTimeout(handle) };
  }

  every(ms: number, fire: () => void): Timer {
    const grid = gridOf(ms);
    if (grid !== undefined) return beats.add(ms, grid, fire);
    const handle = setInterval(fire, ms);
    return { cancel: () => clearInterval(handle) };
  }
}
