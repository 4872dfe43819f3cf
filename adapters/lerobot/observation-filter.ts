/**
 * Which observations a server of LeRobot infers from: those that must go, the first one, and those that are at another
 * step than any before and differ from the last one by at least `distance` (L2, in the raw units of the state). One
 * difference on purpose: after a failed inference the next one goes, or a robot that waits would wait for ever.
 */
export class ObservationFilter {
  readonly #distance: number;
  readonly #steps = new Set<number>();
  #last: Float32Array | undefined;
  #open = true;

  /** `distance` 0: only steps that were inferred from already are dropped. */
  constructor(distance: number) {
    this.#distance = distance;
  }

  passes(step: number, mustGo: boolean, state: Float32Array | undefined): boolean {
    if (mustGo || this.#open) return true;
    if (this.#steps.has(step)) return false;
    return distanceOf(state, this.#last) >= this.#distance;
  }

  /** An inference from it has started. */
  took(step: number, state: Float32Array | undefined): void {
    this.#open = false;
    this.#steps.add(step);
    if (this.#steps.size > STEPS_MAX) this.#steps.delete(this.#steps.values().next().value!);
    this.#last = state;
  }

  /** It gave nothing: whatever comes next goes. */
  failed(): void {
    this.#open = true;
  }
}

/** Steps remembered: more than a chunk, less than an hour. */
const STEPS_MAX = 10_000;

function distanceOf(a: Float32Array | undefined, b: Float32Array | undefined): number {
  if (!a || !b || a.length !== b.length) return Number.POSITIVE_INFINITY;
  return Math.hypot(...a.map((value, i) => value - b[i]!));
}
