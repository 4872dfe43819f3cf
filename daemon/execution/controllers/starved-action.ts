import type { ControllerSpec, OutputKind } from './controller-spec.ts';

type Behaviour = Pick<ControllerSpec, 'starvation' | 'decelerateMs' | 'retract' | 'retractSpeed'> & {
  readonly output: { readonly kind: OutputKind };
};

/**
 * Where the step starts (what was applied last, or asked for by the starved step before), and how fast it went, units
 * per second.
 */
export type LastApplied = { readonly values: Float64Array; readonly rates: Float64Array };

/**
 * The declared action of a step that has none. `sinceMs`: since the first of them; `periodMs` to the
 * step before. Speeds are zero to hold; positions stay. `retract` goes straight in joint space at a bounded speed.
 */
export function starvedAction(
  { starvation, decelerateMs, retract, retractSpeed, output }: Behaviour,
  last: LastApplied,
  sinceMs: number,
  periodMs: number,
  out: Float64Array,
): void {
  const { values, rates } = last;
  const left = starvation === 'decelerate' ? Math.max(0, 1 - sinceMs / decelerateMs) : 0;
  if (output.kind !== 'positions') {
    // What is applied shrinks already: from the speed of the last step that had an action.
    for (let j = 0; j < out.length; j++) out[j] = rates[j]! * left;
    return;
  }
  const stepMax = (retractSpeed * periodMs) / 1000;
  for (let j = 0; j < out.length; j++) {
    const value = values[j]!;
    if (starvation === 'retract') {
      const way = retract[j]! - value;
      out[j] = value + Math.max(-stepMax, Math.min(stepMax, way));
    } else {
      out[j] = value + (rates[j]! * left * periodMs) / 1000;
    }
  }
}
