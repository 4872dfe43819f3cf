import type { EdgeError, Nanoseconds, Qos, Sample } from '../../contract/index.ts';

export type BagTopic = {
  readonly topic: string;
  readonly type: string;
  readonly messages: number;
  readonly qos: Qos | undefined;
  /** `ros2msg` text with its dependencies, where the bag carries it. */
  readonly definition: string | undefined;
};

export type BagFilter = {
  readonly topics?: ReadonlySet<string> | undefined;
  /** Inclusive. */
  readonly startNs?: Nanoseconds | undefined;
  /** Exclusive. */
  readonly endNs?: Nanoseconds | undefined;
};

/**
 * A recording that can be read: one file, or a folder of them. `messages` yields samples by time, those of
 * one time in the order of the file, and throws `bag.malformed` or `mcap.malformed`, naming file and place, after
 * everything readable that comes before. The receiver owns the bytes; they may share memory with others.
 */
export interface Bag {
  readonly path: string;
  readonly storage: 'mcap' | 'sqlite3';
  readonly topics: readonly BagTopic[];
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  readonly bytes: number;
  /** What is wrong with the file as far as opening it tells: it is cut off, or not sealed yet. */
  readonly fault: EdgeError | undefined;
  messages(filter?: BagFilter): AsyncGenerator<Sample>;
  close(): Promise<void>;
}
