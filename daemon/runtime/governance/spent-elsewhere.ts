import type { Clock, EventReader, Timer } from '../../../contract/index.ts';
import type { QuotaBook } from './quota-book.ts';

/** After news the log is read at most this often, milliseconds. */
const READ_MS = 1_000;

export type SpentElsewhereParts = {
  readonly clock: Clock;
  readonly book: Pick<QuotaBook, 'load' | 'follow'>;
  /** Throws while that log does not exist yet. */
  readonly open: () => EventReader;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

/**
 * Folds into the quotas what the log of another cell contains: recordings are sealed in the one that drives the
 * robot. Reads that log beside its writer, so nothing is lost when either of them restarts.
 */
export class SpentElsewhere {
  readonly #parts: SpentElsewhereParts;
  #reader: EventReader | undefined;
  /** Undefined: not read yet. */
  #cursor: number | undefined;
  #news = true;
  #timer: Timer | undefined;
  #reading: Promise<void> = Promise.resolve();
  #busy = false;
  #told = '';

  constructor(parts: SpentElsewhereParts) {
    this.#parts = parts;
  }

  /** Settles when what the log holds by now counts; a log that is not there yet holds nothing. */
  async start(): Promise<void> {
    this.#timer = this.#parts.clock.every(READ_MS, () => this.#look());
    this.#look();
    await this.#reading;
  }

  /** That log grew. */
  grew(): void {
    this.#news = true;
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#reading;
    this.#reader?.close();
    this.#reader = undefined;
  }

  #look(): void {
    if (this.#busy || !this.#news) return;
    this.#busy = true;
    this.#reading = this.#read().finally(() => {
      this.#busy = false;
    });
  }

  async #read(): Promise<void> {
    const { book, open, report } = this.#parts;
    this.#news = false;
    try {
      const reader = this.#reader ?? open();
      this.#reader = reader;
      const last = reader.lastSeq();
      const read =
        this.#cursor === undefined ? await book.load(reader) : await book.follow(reader, this.#cursor);
      // Most of that log is nothing that costs: it is not looked through twice.
      this.#cursor = Math.max(read, last);
      this.#told = '';
    } catch (thrown) {
      this.#news = true;
      const error = thrown instanceof Error ? thrown.message : String(thrown);
      if (this.#cursor !== undefined && error !== this.#told)
        report('what was recorded cannot be counted for now', { error });
      this.#told = error;
    }
  }
}
