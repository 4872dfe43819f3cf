import type { Clock, PressureGauge, RunLoad } from '../../../contract/index.ts';

/** A reading is valid for this long, milliseconds. */
const FRESH_MS = 1_000;

/** Reads the gauges at most once a second, and says which of them keeps agents from starting. */
export class PressureWatch {
  readonly #gauges: readonly PressureGauge[];
  readonly #clock: Clock;
  #readings: RunLoad['pressure'] = [];
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(gauges: readonly PressureGauge[], clock: Clock) {
    this.#gauges = gauges;
    this.#clock = clock;
  }

  readings(): RunLoad['pressure'] {
    const now = this.#clock.monotonicMs();
    if (now - this.#atMs < FRESH_MS) return this.#readings;
    this.#atMs = now;
    this.#readings = this.#gauges.map((gauge) => {
      const { name, unit, limit } = gauge;
      return { name, unit, limit, value: quietly(gauge) };
    });
    return this.#readings;
  }

  /** Why no agent should start; undefined: one may. */
  held(): string | undefined {
    for (const { name, value, limit, unit } of this.readings()) {
      if (limit <= 0 || value === undefined || value <= limit) continue;
      return `${name} is ${round(value)} ${unit}, at most ${round(limit)} for another agent`;
    }
    return undefined;
  }
}

function quietly(gauge: PressureGauge): number | undefined {
  try {
    const value = gauge.read();
    return value !== undefined && Number.isFinite(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
