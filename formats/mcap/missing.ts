import type { EdgeError } from '../../contract/core.ts';
import { malformed } from './malformed.ts';
import type { Channel } from './records.ts';
import type { Summary } from './summary.ts';

/** How many messages of a topic are lost with a part that cannot be read; undefined where nothing says it. */
export type Lost = ReadonlyMap<string, number> | undefined;
type Part = {
  readonly topics?: ReadonlySet<string>;
  readonly startTime?: bigint;
  readonly endTime?: bigint;
};

/**
 * Compares what was read with what the statistics of the file count. Where the file has no CRC a damaged byte can turn a
 * message into a record that no reader knows, and that every reader has to pass over: only the sum shows it.
 */
export class Missing {
  readonly #left = new Map<string, number>();

  private constructor(summary: Summary, topics: ReadonlySet<string> | undefined) {
    for (const [id, count] of summary.counts) {
      const topic = summary.channels.get(id)?.topic ?? `(channel ${id})`;
      if (topics && !topics.has(topic)) continue;
      this.#left.set(topic, (this.#left.get(topic) ?? 0) + count);
    }
  }

  /** Undefined where the statistics cannot say it: the file has none, or only a part of its time is read. */
  static of(summary: Summary, { topics, startTime, endTime }: Part): Missing | undefined {
    if (summary.counts.size === 0 || startTime !== undefined || endTime !== undefined) return undefined;
    return new Missing(summary, topics);
  }

  read({ topic }: Channel): void {
    this.#take(topic, 1);
  }

  /**
   * Takes what a part that cannot be read held, and gives it back without channels that the file does not have: the
   * statistics say to which topic their messages belong.
   */
  lost(lost: Lost): Lost {
    if (!lost) return undefined;
    const known = [...lost].filter(([topic]) => this.#left.has(topic));
    for (const [topic, count] of known) this.#take(topic, count);
    return new Map(known);
  }

  /** What is lost beside all that; undefined where the sum is right. */
  rest(subject: string, at: number): { readonly fault: EdgeError; readonly lost: Lost } | undefined {
    const lost = new Map([...this.#left].filter(([, count]) => count > 0).sort());
    if (lost.size === 0) return undefined;
    const text = [...lost].map(([topic, count]) => `${count} of ${topic}`).join(', ');
    return {
      fault: malformed(subject, at, `the statistics count more messages than can be read: ${text}`),
      lost,
    };
  }

  #take(topic: string, count: number): void {
    const left = this.#left.get(topic);
    if (left !== undefined) this.#left.set(topic, left - count);
  }
}
