import { EdgeError, type Sample, type SampleSink } from '../../contract/core.ts';

const RETRY_MS = 2;
/** A sink that takes nothing for this long is not there, milliseconds. */
const DEAF_MS = 10_000;

/**
 * Hands samples to a sink that may refuse for a while, in order and without losing one. While it holds anything its
 * backlog is infinite, so that whoever looks at it adds no more: it holds one sample, and what one turn brings.
 */
export class SinkQueue {
  readonly #sink: SampleSink;
  readonly #pause: (ms: number) => Promise<void>;
  readonly #onDeaf: (error: EdgeError) => void;
  readonly #waiting: { readonly sample: Sample; readonly onTaken: () => void }[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(sink: SampleSink, pause: (ms: number) => Promise<void>, onDeaf: (error: EdgeError) => void) {
    this.#sink = sink;
    this.#pause = pause;
    this.#onDeaf = onDeaf;
  }

  backlogBytes(): number {
    return this.#waiting.length > 0 ? Number.POSITIVE_INFINITY : 0;
  }

  add(sample: Sample, onTaken: () => void): void {
    if (this.#waiting.length === 0 && this.#sink.offer(sample)) {
      onTaken();
      return;
    }
    this.#waiting.push({ sample, onTaken });
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
    });
  }

  /** Resolves when everything was taken, or nothing will be any more. */
  async empty(): Promise<void> {
    while (this.#draining) await this.#draining;
  }

  close(): void {
    this.#closed = true;
  }

  async #drain(): Promise<void> {
    let refusedMs = 0;
    while (this.#waiting[0] && !this.#closed) {
      const { sample, onTaken } = this.#waiting[0];
      if (this.#sink.offer(sample)) {
        this.#waiting.shift();
        onTaken();
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
          message: `${sample.topic} is not taken any more: its receiver is gone or does not keep up`,
        }),
      );
    }
  }
}
