/** Integers in a buffer that is reused: a list without garbage. */
export class IntList {
  #buffer = new Int32Array(256);
  #count = 0;

  /** A view of what is held; valid until the next `push` or `clear`. */
  get values(): Int32Array {
    return this.#buffer.subarray(0, this.#count);
  }

  clear(): void {
    this.#count = 0;
  }

  push(value: number): void {
    if (this.#count === this.#buffer.length) {
      const larger = new Int32Array(this.#buffer.length * 2);
      larger.set(this.#buffer);
      this.#buffer = larger;
    }
    this.#buffer[this.#count++] = value;
  }
}
