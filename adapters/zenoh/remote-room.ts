/** A limit by number and total bytes. Mirrors `native/src/room.rs`. */
export class RemoteRoom {
  readonly #countMax: number;
  readonly #bytesMax: number;
  #count = 0;
  #bytes = 0;

  constructor(limits: { readonly count: number; readonly bytes: number }) {
    this.#countMax = limits.count;
    this.#bytesMax = limits.bytes;
  }

  /** False: there is no room for it now, and nothing was taken. */
  take(bytes: number): boolean {
    if (this.#count >= this.#countMax || bytes > this.#bytesMax - this.#bytes) return false;
    this.#count += 1;
    this.#bytes += bytes;
    return true;
  }

  /** What one `take` has taken. */
  giveBack(bytes: number): void {
    this.#count -= 1;
    this.#bytes -= bytes;
  }

  /** False: it is too large even for an empty room. */
  couldEverTake(bytes: number): boolean {
    return bytes <= this.#bytesMax;
  }
}
