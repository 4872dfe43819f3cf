import type { Clock } from '../../contract/core.ts';
import { bytes, type Output } from '../output.ts';

const EVERY_MS = 1_000;

/** Progress of work on a disk, once a second: how much, how fast, and how long it still takes. */
export class DiskRate {
  readonly #out: Output;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #name = '';
  #startMs = 0;
  #startBytes = 0;
  #shownMs = 0;

  constructor(out: Output, clock: Pick<Clock, 'monotonicMs'>) {
    this.#out = out;
    this.#clock = clock;
  }

  at(name: string, done: number, of: number): void {
    const now = this.#clock.monotonicMs();
    if (name !== this.#name) {
      this.#name = name;
      this.#startMs = now;
      this.#startBytes = done;
      this.#shownMs = now;
    }
    if (now - this.#shownMs < EVERY_MS) return;
    this.#shownMs = now;
    const rate = Math.round((done - this.#startBytes) / ((now - this.#startMs) / 1_000));
    const left_s = rate > 0 ? Math.ceil(Math.max(0, of - done) / rate) : null;
    if (this.#out.json) this.#out.result({ progress: { name, bytes: done, of, rate, left_s } }, () => '');
    else
      this.#out.note(
        `${name}  ${bytes(done)} of ${bytes(of)}  ${bytes(rate)}/s${left_s === null ? '' : `  ${left_s} s left`}`,
      );
  }
}
