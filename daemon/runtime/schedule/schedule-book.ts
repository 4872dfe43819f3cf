import {
  type AgentEvent,
  type EventPayload,
  fromWireTime,
  LIMITS,
  NS_PER_MS,
  toMs,
  toWireTime,
} from '../../../contract/core.ts';
import type { Position } from './decide-due.ts';

export type Fired = EventPayload<'schedule.fired'>;
/** A time that was decided, and where the log says so. */
export type Decided = { readonly fired: Fired; readonly seq: number };

/** A clock this much behind what was decided already was set back, milliseconds; less is a clock being slowed. */
const SET_BACK_MS = 1_000;

/** What the log says of one schedule: the times that were decided. Folded from its events, and never ahead of them. */
export class ScheduleBook {
  /** The newest time that was ever decided, by whatever clock. */
  #highMs = -Infinity;
  /** Times after this one are still to be decided. */
  #cursorMs = -Infinity;
  /** By due time; the newest of them. */
  readonly #decided = new Set<number>();
  #last: Decided | undefined;

  get isKnown(): boolean {
    return this.#last !== undefined;
  }

  /** The event that was written last. */
  get last(): Decided | undefined {
    return this.#last;
  }

  take({ payload, seq }: Pick<AgentEvent<'schedule.fired'>, 'payload' | 'seq'>): void {
    const dueMs = toMs(fromWireTime(payload.due_ns));
    this.#last = { fired: payload, seq };
    this.#cursorMs = dueMs;
    this.#highMs = Math.max(this.#highMs, dueMs);
    if (payload.action === 'known') return;
    this.#decided.add(dueMs);
    for (const oldest of this.#decided) {
      if (this.#decided.size <= LIMITS.SCHEDULE_TIMES_MAX) break;
      this.#decided.delete(oldest);
    }
  }

  /**
   * From where on times count, by the clock of now. A clock that was set back is believed: what comes by again and
   * was decided is known, what was not yet decided counts. A clock that then jumps forwards again (a host without
   * one of its own that reaches its time server) finds everything decided up to where it stood before.
   */
  position(nowMs: number): Position {
    if (nowMs >= this.#highMs - SET_BACK_MS) this.#cursorMs = Math.max(this.#cursorMs, this.#highMs);
    else if (this.#cursorMs > nowMs) this.#cursorMs = nowMs;
    return { cursorMs: this.#cursorMs, isDecided: (dueMs) => this.#decided.has(dueMs) };
  }

  /** Nothing up to here is to be decided: what came by was decided before. */
  passed(dueMs: number): void {
    this.#cursorMs = Math.max(this.#cursorMs, dueMs);
  }
}

export function wireOf(ms: number): string {
  return toWireTime(BigInt(Math.floor(ms)) * NS_PER_MS);
}
