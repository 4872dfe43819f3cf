import {
  type CellBus,
  type Clock,
  type StopCount,
  type StopNews,
  TOPICS,
  type Wanted,
} from '../../contract/index.ts';

/**
 * The stops of the robot as the runtime knows them; one for each runtime. Orders that come by this cell are noted when they
 * come. All others are news of the execution cell, which knows of every stop, and says when it was.
 */
export class Stops implements StopCount {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #count = 0;
  #lastMs = -Infinity;

  constructor(clock: Pick<Clock, 'monotonicMs'>, bus?: Pick<CellBus, 'onBroadcast'>) {
    this.#clock = clock;
    bus?.onBroadcast(TOPICS.robotStopped, (body) => this.#heard((body as StopNews).atMs));
  }

  get count(): number {
    return this.#count;
  }

  note(): void {
    this.#count++;
    this.#heard(this.#clock.monotonicMs());
  }

  now(): Wanted {
    return { atMs: this.#clock.monotonicMs(), stops: this.#count };
  }

  /** News of a stop that was noted here too is a little later: what is wanted after its answer is later still. */
  since({ atMs, stops = this.#count }: Wanted): boolean {
    return stops !== this.#count || this.#lastMs > atMs;
  }

  #heard(atMs: number): void {
    this.#lastMs = Math.max(this.#lastMs, atMs);
  }
}
