import {
  type CellBus,
  type Clock,
  type ControllerView,
  METHODS,
  type NewEvent,
  type PressureGauge,
  type Timer,
} from '../../../contract/core.ts';
import type { ShedGate } from './shed-gate.ts';
import { nextShed, type ShedState, UNSHED } from './shed-ladder.ts';

/** Between two looks at the control loops, milliseconds. */
const LOOK_MS = 250;
/** An execution cell that does not say how its loops are is not waited for, milliseconds. */
const ASK_MS = 1_000;
/** A reading that is older says nothing, milliseconds. */
const STALE_MS = 3_000;

export type ControlLate = {
  /** Share of its period by which the worst loop is late. */
  readonly late: number;
  readonly controller: string;
  readonly lateMs: number;
  readonly periodMs: number;
};

/** The worst of the loops that run; undefined: none runs. Pure. */
export function worstLate(views: readonly ControllerView[]): ControlLate | undefined {
  let worst: ControlLate | undefined;
  for (const { name, state, hz, late_recent_ms, late_p99_ms } of views) {
    if ((state !== 'running' && state !== 'starved') || !(hz > 0)) continue;
    const lateMs = late_recent_ms ?? late_p99_ms ?? 0;
    const periodMs = 1_000 / hz;
    const late = Math.max(0, lateMs / periodMs);
    if (!worst || late > worst.late) worst = { late, controller: name, lateMs, periodMs };
  }
  return worst;
}

export type ShedWatchParts = {
  readonly clock: Clock;
  readonly bus: Pick<CellBus, 'request'>;
  readonly gate: ShedGate;
  /** Share of a period at which models on this host start to give way; 0: never. */
  readonly first: number;
  readonly emit: (events: readonly NewEvent[]) => Promise<void>;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * Looks at the control loops while models on this host work or want to, and has them give way before a loop misses a
 * step. Each change of level is an event. Where nothing is heard of the loops no model gives way for long.
 */
export class ShedWatch {
  readonly #parts: ShedWatchParts;
  #state: ShedState = UNSHED;
  #seen: ControlLate | undefined;
  #seenMs = Number.NEGATIVE_INFINITY;
  #looking = false;
  #timer: Timer | undefined;

  constructor(parts: ShedWatchParts) {
    this.#parts = parts;
  }

  /** What holds further agents back: how late control is, percent of a period. */
  get gauge(): PressureGauge {
    return {
      name: 'lateness of control',
      unit: '% of a period',
      limit: this.#parts.first * 100,
      read: () => (this.#fresh() ? this.#seen && this.#seen.late * 100 : undefined),
    };
  }

  start(): void {
    if (this.#parts.first <= 0) return;
    this.#timer = this.#parts.clock.every(LOOK_MS, () => void this.look());
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#parts.gate.set('none', '');
  }

  async look(): Promise<void> {
    const { gate, clock } = this.#parts;
    const idle = gate.under === 0 && gate.waiting === 0 && this.#state.level === 'none';
    if (idle || this.#looking) return;
    this.#looking = true;
    try {
      const controllers = await this.#parts.bus.request(
        'execution',
        METHODS.execution.controllerList,
        {},
        ASK_MS,
      );
      this.#seen = worstLate(controllers);
      this.#seenMs = clock.monotonicMs();
    } catch {
      // A cell that restarts controls nothing; a robot without controllers has none to ask.
    } finally {
      this.#looking = false;
    }
    this.#decide();
  }

  #decide(): void {
    const { clock, first, gate, emit, report } = this.#parts;
    const seen = this.#fresh() ? this.#seen : undefined;
    const before = this.#state.level;
    this.#state = nextShed(this.#state, seen?.late, first, clock.monotonicMs());
    const { level } = this.#state;
    if (level === before) return;
    const reason = seen
      ? `${seen.controller} is ${round(seen.lateMs)} ms late of a period of ${round(seen.periodMs)} ms`
      : 'no control loop is late';
    const cancelled = gate.set(level, reason);
    const payload = { level, reason, late: seen?.late ?? 0, cancelled };
    emit([{ kind: 'models.shed', payload }]).catch((thrown: unknown) =>
      report('that models give way could not be logged', { ...payload, error: String(thrown) }),
    );
  }

  #fresh(): boolean {
    return this.#parts.clock.monotonicMs() - this.#seenMs <= STALE_MS;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
