import type { KeySpace, Sample, SampleSink, TopicSpec } from '../../contract/core.ts';

/** Open puts; more are refused until some are through. */
const PUTS_OPEN_MAX = 64;
const PUT_BYTES_OPEN_MAX = 32 * 1024 * 1024;

/** Samples as values of a key space: `/scan` under the prefix `robot7` is the key `robot7/scan`, the payload is CDR. */
export class KeySpaceSink implements SampleSink {
  readonly #keySpace: KeySpace;
  readonly #prefix: string;
  readonly #open = new Set<Promise<void>>();
  #openBytes = 0;
  #failed = false;
  #closed = false;

  constructor(keySpace: KeySpace, prefix: string) {
    this.#keySpace = keySpace;
    this.#prefix = prefix.replace(/^\/+|\/+$/g, '');
  }

  async advertise(_topic: TopicSpec): Promise<void> {}

  /** False while too many puts are open, and forever after the key space refused a value. */
  offer({ topic, type, bytes }: Sample): boolean {
    if (this.#closed || this.#failed || this.#open.size >= PUTS_OPEN_MAX) return false;
    if (this.#openBytes > 0 && this.#openBytes + bytes.length > PUT_BYTES_OPEN_MAX) return false;
    this.#openBytes += bytes.length;
    const encoding = `application/cdr;${type}`;
    const put = this.#keySpace
      .put(this.#keyOf(topic), bytes, { congestion: 'block', encoding })
      .catch(() => {
        this.#failed = true;
      })
      .finally(() => {
        this.#openBytes -= bytes.length;
        this.#open.delete(put);
      });
    this.#open.add(put);
    return true;
  }

  /** Waits for the open puts; the key space stays open, it belongs to another. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#open);
  }

  #keyOf(topic: string): string {
    const name = topic.replace(/^\/+/, '');
    return this.#prefix === '' ? name : `${this.#prefix}/${name}`;
  }
}
