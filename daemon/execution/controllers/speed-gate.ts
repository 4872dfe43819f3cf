import type { Gated, Measured, StepGate } from './gate-port.ts';

/** Greatest values and how fast they may change, by number of the action; units per second. */
export type SpeedLimits = {
  readonly most: readonly number[];
  readonly changeMax: readonly number[];
  /** Of joints: where they may be. A joint comes to rest before it leaves that, by where it is measured. */
  readonly within?: readonly { readonly lower: number; readonly upper: number }[];
};

/** A measured position is this many steps old when a command that follows from it takes effect. */
const STEPS_BEHIND = 2;

/**
 * The gate of speeds (a base, joints driven by velocity): finite, within limits, and never changing faster than they
 * may; joints stop at the limits of their positions. What is not a finite number is refused as a whole, and where the
 * joints of a limited position are not measured everything is: the speeds go to zero.
 */
export class SpeedGate implements StepGate {
  readonly #limits: SpeedLimits;
  readonly #applied: Float64Array;
  readonly #still: Float64Array;

  constructor(limits: SpeedLimits) {
    this.#limits = limits;
    this.#applied = new Float64Array(limits.most.length);
    this.#still = new Float64Array(limits.most.length);
  }

  reset(): void {
    this.#applied.fill(0);
  }

  halt(dtSeconds: number): Gated {
    return this.apply(this.#still, dtSeconds);
  }

  get atRest(): boolean {
    return this.#applied.every((speed) => speed === 0);
  }

  farOutside(actions: ArrayLike<number>, at: number, share: number): number {
    return this.#limits.most.findIndex((most, j) => Math.abs(actions[at + j]!) > most * (1 + 2 * share));
  }

  apply(asked: Float64Array, dtSeconds: number, measured?: Measured): Gated {
    const { most, changeMax, within } = this.#limits;
    const applied = this.#applied;
    const blind = within !== undefined && measured?.known !== true;
    const finite = applied.every((_, j) => Number.isFinite(asked[j]));
    const refused = !finite || blind;
    let reason = !finite ? 'not a number' : blind ? 'no measured position' : '';
    for (let j = 0; j < applied.length; j++) {
      const wanted = refused ? 0 : asked[j]!;
      const room = refused ? undefined : within?.[j];
      const behind = STEPS_BEHIND * dtSeconds;
      const at = measured?.positions[j] ?? 0;
      const up = room ? stopsWithin(room.upper - at, changeMax[j]!, behind) : Infinity;
      const down = room ? stopsWithin(at - room.lower, changeMax[j]!, behind) : Infinity;
      const free = Math.max(-down, Math.min(up, wanted));
      if (reason === '' && free !== wanted) reason = 'position';
      const bounded = Math.max(-most[j]!, Math.min(most[j]!, free));
      const change = changeMax[j]! * dtSeconds;
      const now = applied[j]!;
      const next = Math.max(now - change, Math.min(now + change, bounded));
      if (reason === '' && bounded !== free) reason = 'speed';
      if (reason === '' && next !== bounded) reason = 'acceleration';
      applied[j] = next === 0 ? 0 : next;
    }
    return { applied, verdict: refused ? 'refused' : reason === '' ? 'passed' : 'limited', reason };
  }
}

/**
 * The greatest speed that still comes to rest within `room`, if it continues as it is for `behind` seconds before.
 */
function stopsWithin(room: number, deceleration: number, behind: number): number {
  if (!(room > 0)) return 0;
  return deceleration * (Math.sqrt(behind * behind + (2 * room) / deceleration) - behind);
}
