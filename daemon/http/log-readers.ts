import {
  CELL_NAMES,
  type CellName,
  type Clock,
  type EventReader,
  LIMITS,
  TOPICS,
} from '../../contract/index.ts';
import { vector } from './event-cursor.ts';
import type { HttpPorts } from './http-ports.ts';

/**
 * One reader per log, shared by all streams, and the news that a log grew. A log that cannot be opened or
 * read counts as empty and is tried again at the next poll: a dead cell does not end the streams of others.
 */
export class LogReaders {
  readonly #ports: Pick<HttpPorts, 'openReader' | 'report'>;
  readonly #readers = new Map<CellName, EventReader>();
  readonly #failing = new Set<CellName>();
  readonly #listeners = new Set<() => void>();

  constructor(ports: Pick<HttpPorts, 'openReader' | 'report' | 'bus'>) {
    this.#ports = ports;
    ports.bus.onBroadcast(TOPICS.logGrew, () => this.wake());
  }

  /** Runs `use` with the log of a cell; `otherwise` where it cannot be read now. */
  with<T>(cell: CellName, otherwise: T, use: (reader: EventReader) => T): T {
    try {
      let reader = this.#readers.get(cell);
      if (!reader) {
        reader = this.#ports.openReader(cell);
        this.#readers.set(cell, reader);
      }
      const result = use(reader);
      this.#failing.delete(cell);
      return result;
    } catch (error) {
      this.#drop(cell);
      if (!this.#failing.has(cell)) {
        this.#failing.add(cell);
        this.#ports.report('warn', 'log cannot be read', { cell, error: (error as Error).message });
      }
      return otherwise;
    }
  }

  lastSeqs(): Record<CellName, number> {
    return vector((cell) => this.with(cell, 0, (reader) => reader.lastSeq()));
  }

  /** Makes all streams look again. */
  wake(): void {
    for (const listen of [...this.#listeners]) listen();
  }

  /** Settles when some log grew, after `ms`, or when `signal` aborts; whichever is first. */
  grown(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        timer.cancel();
        this.#listeners.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = clock.after(Math.min(ms, LIMITS.STREAM_POLL_MS), done);
      this.#listeners.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  close(): void {
    for (const cell of CELL_NAMES) this.#drop(cell);
    this.wake();
  }

  #drop(cell: CellName): void {
    const reader = this.#readers.get(cell);
    this.#readers.delete(cell);
    try {
      reader?.close();
    } catch {
      // A reader that failed may fail to close too; it is gone either way.
    }
  }
}
