import {
  type Asked,
  type CellBus,
  type Clock,
  type StopCount,
  type StopNews,
  TOPICS,
  type Wanted,
} from '../../contract/index.ts';

/** Runs whose agents stopped the robot that are remembered; what such a run asked for before it has long ended by then. */
const RUNS_MAX = 64;

/**
 * The stops of the robot as the runtime knows them; one for each runtime. Orders that come by this cell are noted when they
 * come. All others are news of the execution cell, which knows of every stop, and says when it was, and whose.
 */
export class Stops implements StopCount {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #count = 0;
  /** The last stop that counts for all. */
  #lastMs = -Infinity;
  /** The last of each run whose agent stopped the robot. */
  readonly #byRun = new Map<string, number>();
  #lastOfRunsMs = -Infinity;

  constructor(clock: Pick<Clock, 'monotonicMs'>, bus?: Pick<CellBus, 'onBroadcast'>) {
    this.#clock = clock;
    bus?.onBroadcast(TOPICS.robotStopped, (body) => this.#heard(body as StopNews));
  }

  get count(): number {
    return this.#count;
  }

  note(): void {
    this.#count++;
    this.#heard({ atMs: this.#clock.monotonicMs() });
  }

  now(): Wanted {
    return { atMs: this.#clock.monotonicMs(), stops: this.#count };
  }

  /** News of a stop that was noted here too is a little later: what is wanted after its answer is later still. */
  since({ atMs, stops = this.#count }: Wanted, asked?: Asked): boolean {
    if (stops !== this.#count || this.#lastMs > atMs) return true;
    if (this.#lastOfRunsMs <= atMs) return false;
    if (asked?.run !== undefined && (this.#byRun.get(asked.run) ?? -Infinity) > atMs) return true;
    return asked?.moves() ?? true;
  }

  #heard({ atMs, run }: StopNews): void {
    if (run === undefined) {
      this.#lastMs = Math.max(this.#lastMs, atMs);
      return;
    }
    this.#lastOfRunsMs = Math.max(this.#lastOfRunsMs, atMs);
    const last = Math.max(this.#byRun.get(run) ?? -Infinity, atMs);
    this.#byRun.delete(run);
    this.#byRun.set(run, last);
    if (this.#byRun.size > RUNS_MAX) this.#byRun.delete(this.#byRun.keys().next().value!);
  }
}
