import { LIMITS } from '../contract/core.ts';

/** How fast a new rate counts, and how much more may be sent than the piece before. */
const WEIGHT = 0.4;
const GROWTH = 2;
/** Rates older than this say nothing about now, milliseconds. */
const OLD_MS = 30_000;

/**
 * How many bytes of a file go into the next request, so that it takes about `LINK_PIECE_MS`: an event waits behind it, and
 * a cut costs a part of it. Pure but for the clock.
 */
export class PieceSize {
  readonly #clock: { monotonicMs(): number };
  #bytes: number = LIMITS.LINK_PIECE_BYTES_MIN * 4;
  /** Plain bytes a millisecond, and when that was. */
  #rate = 0;
  #atMs = 0;

  constructor(clock: { monotonicMs(): number }) {
    this.#clock = clock;
  }

  /** Plain bytes of the next request. `restOfDay`: bytes of the line that may still be used today. */
  bytes(partBytes: number, restOfDay?: number): number {
    const least = Math.min(LIMITS.LINK_PIECE_BYTES_MIN, partBytes);
    return Math.max(least, Math.min(this.#bytes, partBytes, restOfDay ?? partBytes));
  }

  /** A request of so many plain bytes took so long. */
  went(plain: number, ms: number): void {
    const rate = plain / Math.max(ms, 1);
    this.#rate = this.#rate === 0 ? rate : this.#rate * (1 - WEIGHT) + rate * WEIGHT;
    this.#atMs = this.#clock.monotonicMs();
    this.#bytes = Math.round(Math.min(Math.max(this.#bytes, plain) * GROWTH, rate * LIMITS.LINK_PIECE_MS));
    this.#bound();
  }

  /** A request did not end: the next is half as large. */
  failed(plain: number): void {
    this.#bytes = plain / 2;
    this.#bound();
  }

  bytesPerSecond(): number {
    return this.#clock.monotonicMs() - this.#atMs > OLD_MS ? 0 : this.#rate * 1_000;
  }

  #bound(): void {
    const { LINK_PIECE_BYTES_MIN, LINK_PART_BYTES_MAX } = LIMITS;
    this.#bytes = Math.round(Math.max(LINK_PIECE_BYTES_MIN, Math.min(this.#bytes, LINK_PART_BYTES_MAX)));
  }
}
