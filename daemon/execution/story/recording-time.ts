import type { Nanoseconds } from '../../../contract/core.ts';

type Pair = { readonly wall: Nanoseconds; readonly recorded: Nanoseconds };

/** Pairs are kept this far apart at least, nanoseconds, and so many of them: some seconds, in which events are read. */
const APART_NS = 2_000_000n;
const PAIRS_MAX = 4_096;

/**
 * The time of the recording at a moment of wall time. Recordings of a robot with a clock of its own (a simulation) are
 * in that clock, and an event between them in any other would spread the recording over years. Such a clock may stand
 * still: then so do the events.
 */
export class RecordingTime {
  readonly #isWall: boolean;
  #pairs: Pair[] = [];

  constructor(isWall: boolean) {
    this.#isWall = isWall;
  }

  /** A sample of the robot came at `wall`. */
  observe(recorded: Nanoseconds, wall: Nanoseconds): void {
    if (this.#isWall) return;
    const last = this.#pairs.at(-1);
    // The robot, or the clock of this host, restarted.
    if (last && (recorded < last.recorded || wall < last.wall)) this.#pairs = [];
    else if (last && (wall - last.wall < APART_NS || recorded === last.recorded)) return;
    this.#pairs.push({ wall, recorded });
    if (this.#pairs.length > PAIRS_MAX) this.#pairs.splice(0, PAIRS_MAX / 2);
  }

  /** Undefined: nothing was recorded yet that would say what time it is. */
  at(wall: Nanoseconds): Nanoseconds | undefined {
    if (this.#isWall) return wall;
    let low = 0;
    let high = this.#pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pairs[middle]!.wall <= wall) low = middle + 1;
      else high = middle;
    }
    return this.#pairs[Math.max(0, low - 1)]?.recorded;
  }
}
