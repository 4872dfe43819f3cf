import { EdgeError, type Sample } from '../../contract/core.ts';
import type { Receipt } from './door/index.ts';

const RETRY_MS = 2;
/** One that takes nothing for this long is not there, milliseconds. */
const DEAF_MS = 10_000;

type Waiting = { readonly sample: Sample; send(): Receipt; onSettled(receipt: Receipt): void };

/**
 * Hands samples to a receiver that may be busy for a while, in order and without losing one: what the door refuses is
 * settled too. While it holds anything its backlog is infinite, so that a caller who looks at it adds no more: it holds
 * one sample, and what one turn brings.
 */
export class SinkQueue {
  readonly #pause: (ms: number) => Promise<void>;
  readonly #onDeaf: (error: EdgeError) => void;
  readonly #waiting: Waiting[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(pause: (ms: number) => Promise<void>, onDeaf: (error: EdgeError) => void) {
    this.#pause = pause;
    this.#onDeaf = onDeaf;
  }

  backlogBytes(): number {
    return this.#waiting.length > 0 ? Number.POSITIVE_INFINITY : 0;
  }

  /** `send` is asked again while it is busy; `onSettled` is given the receipt that it ended with. */
  add(next: Waiting): void {
    if (this.#waiting.length === 0 && settled(next)) return;
    this.#waiting.push(next);
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
  }

  /** Resolves when everything was taken, or nothing will be taken. */
  async empty(): Promise<void> {
    while (this.#draining) await this.#draining;
  }

  close(): void {
    this.#closed = true;
  }

  async #drain(): Promise<void> {
    let refusedMs = 0;
    while (this.#waiting[0] && !this.#closed) {
      const { sample } = this.#waiting[0];
      if (settled(this.#waiting[0])) {
        this.#waiting.shift();
        refusedMs = 0;
        continue;
      }
      await this.#pause(RETRY_MS);
      refusedMs += RETRY_MS;
      if (refusedMs < DEAF_MS) continue;
      this.#waiting.length = 0;
      this.#onDeaf(
        new EdgeError('cell.unavailable', {
          operation: 'bag play',
          subject: sample.topic,
          message: `${sample.topic} is no longer accepted: its receiver is gone or does not keep up`,
        }),
      );
    }
  }
}

function settled(next: Waiting): boolean {
  const receipt = next.send();
  if (receipt.verdict === 'busy') return false;
  next.onSettled(receipt);
  return true;
}
