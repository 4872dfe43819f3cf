import type { StopCount } from '../../contract/index.ts';

/** One for each runtime. */
export class Stops implements StopCount {
  #count = 0;

  get count(): number {
    return this.#count;
  }

  note(): void {
    this.#count++;
  }
}
