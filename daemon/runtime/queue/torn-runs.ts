import { type Clock, EdgeError, type Timer, toWireTime, type UnwrittenRun } from '../../../contract/index.ts';

/** A run whose events the log refused (a full disk) is taken up again after this, milliseconds. */
const AGAIN_MS = 3_000;

type Torn = { timer: Timer | undefined; run: UnwrittenRun };

/** Runs of which the log refused an attempt: their robots stand, and they continue when the log does. */
export class TornRuns {
  readonly #clock: Clock;
  readonly #torn = new Map<string, Torn>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `again` is called once, when it is time, unless `stop` comes before. */
  hold(runId: string, thrown: unknown, again: () => void): void {
    const known = this.#torn.get(runId)?.run;
    const torn: Torn = {
      timer: this.#clock.after(AGAIN_MS, () => {
        torn.timer = undefined;
        again();
      }),
      run: {
        run_id: runId,
        since_ts: known?.since_ts ?? toWireTime(this.#clock.now()),
        tries: (known?.tries ?? 0) + 1,
        reason: EdgeError.from(thrown, 'internal.fault', 'run', runId).message,
      },
    };
    this.#torn.set(runId, torn);
  }

  /** It is over. */
  forget(runId: string): void {
    this.#torn.delete(runId);
  }

  /** Those that wait; of one that was taken up again nothing is said. */
  waiting(): readonly UnwrittenRun[] {
    return [...this.#torn.values()].flatMap(({ timer, run }) => (timer ? [run] : []));
  }

  stop(): void {
    for (const { timer } of this.#torn.values()) timer?.cancel();
  }
}
