import {
  type CellBus,
  type Clock,
  fromWireTime,
  type LeaseView,
  LIMITS,
  METHODS,
  type Nanoseconds,
  type Takeover,
  type Timer,
  TOPICS,
  takenOverBy,
} from '../../../contract/core.ts';

export type TakeoverWatchParts = {
  readonly bus: Pick<CellBus, 'request' | 'onBroadcast'>;
  readonly clock: Clock;
  readonly runs: {
    takenOver(reason: string): Promise<void>;
    takenRuns(): readonly string[];
    resume(runId: string, reason: string): Promise<unknown>;
  };
  /**
   * How long after the lease was given back runs continue automatically, milliseconds; undefined: a person resumes
   * them.
   */
  readonly resumeAfterMs: number | undefined;
  report(level: 'warn', message: string, facts?: Readonly<Record<string, unknown>>): void;
};

/** How often the lease is looked at while that matters, milliseconds. */
const LOOK_MS = 500;

/**
 * Pauses runs when somebody of a higher rank takes the robot, also where that happened while this cell was away, and
 * resumes them where the configuration wants it.
 */
export class TakeoverWatch {
  readonly #parts: TakeoverWatchParts;
  #timer: Timer | undefined;
  #looking = false;
  /** Until the execution cell has answered once: what happened before that. */
  #before: Nanoseconds | undefined;
  #freeSinceMs: number | undefined;

  constructor(parts: TakeoverWatchParts) {
    this.#parts = parts;
    parts.bus.onBroadcast(TOPICS.leaseTaken, (body) => {
      this.#freeSinceMs = undefined;
      void parts.runs.takenOver(takenOverBy(body as Takeover));
    });
  }

  /** `lastEvent`: time of the newest event before this start. Runs do not know of a takeover after it. */
  start(lastEvent: Nanoseconds): void {
    this.#before = lastEvent;
    this.#timer = this.#parts.clock.every(LOOK_MS, () => void this.#look());
  }

  close(): void {
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { runs, resumeAfterMs, bus } = this.#parts;
    const waits = resumeAfterMs !== undefined && runs.takenRuns().length > 0;
    if (!waits) this.#freeSinceMs = undefined;
    if (this.#looking || (this.#before === undefined && !waits)) return;
    this.#looking = true;
    try {
      const { leaseState } = METHODS.execution;
      const view = await bus.request('execution', leaseState, {}, LIMITS.CELL_REQUEST_MS);
      await this.#catchUp(view);
      if (waits) await this.#resume(view, resumeAfterMs);
    } catch {
      // The execution cell is away: nothing is resumed, and the next look asks again.
      this.#freeSinceMs = undefined;
    } finally {
      this.#looking = false;
    }
  }

  async #catchUp({ takeover }: LeaseView): Promise<void> {
    const before = this.#before;
    this.#before = undefined;
    if (before === undefined || !takeover || fromWireTime(takeover.since_ns) <= before) return;
    await this.#parts.runs.takenOver(takenOverBy(takeover));
  }

  /** Only after a lease that was given back: whose connection was lost may still believe to steer. */
  async #resume({ state, takeover }: LeaseView, afterMs: number): Promise<void> {
    const { clock, runs, report } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (state !== 'free' || takeover?.end !== 'returned') {
      this.#freeSinceMs = undefined;
      return;
    }
    this.#freeSinceMs ??= nowMs;
    if (nowMs - this.#freeSinceMs < afterMs) return;
    const reason = `${takeover.holder} (${takeover.role}) gave the robot back ${afterMs / 1_000} s ago`;
    for (const runId of runs.takenRuns())
      await runs.resume(runId, reason).catch((thrown: unknown) => {
        report('warn', 'a run could not be resumed', { run_id: runId, error: String(thrown) });
      });
  }
}
