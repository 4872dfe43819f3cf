import type { Gated, StepGate } from './gate-port.ts';

/** Greatest values and how fast they may change, by number of the action; units per second. */
export type SpeedLimits = {
  readonly most: readonly number[];
  readonly changeMax: readonly number[];
};

/**
 * The gate of speeds (a base, joints driven by velocity): finite, within limits, and never changing faster than they
 * may. What is not a finite number is refused as a whole and the speeds go to zero.
 */
export class SpeedGate implements StepGate {
  readonly #limits: SpeedLimits;
  readonly #applied: Float64Array;

  constructor(limits: SpeedLimits) {
    this.#limits = limits;
    this.#applied = new Float64Array(limits.most.length);
  }

  reset(): void {
    this.#applied.fill(0);
  }

  apply(asked: Float64Array, dtSeconds: number): Gated {
    const { most, changeMax } = this.#limits;
    const applied = this.#applied;
    const finite = applied.every((_, j) => Number.isFinite(asked[j]));
    let reason = finite ? '' : 'not a number';
    for (let j = 0; j < applied.length; j++) {
      const wanted = finite ? asked[j]! : 0;
      const bounded = Math.max(-most[j]!, Math.min(most[j]!, wanted));
      const change = changeMax[j]! * dtSeconds;
      const now = applied[j]!;
      const next = Math.max(now - change, Math.min(now + change, bounded));
      if (reason === '' && bounded !== wanted) reason = 'speed';
      if (reason === '' && next !== bounded) reason = 'acceleration';
      applied[j] = next === 0 ? 0 : next;
    }
    return { applied, verdict: !finite ? 'refused' : reason === '' ? 'passed' : 'limited', reason };
  }
}
