import {
  type Clock,
  EdgeError,
  type LakeAsker,
  type LakePage,
  type LakeReader,
  type LakeReadReply,
  LIMITS,
  type Timer,
} from '../../contract/core.ts';

type Open = {
  readonly reader: LakeReader;
  readonly by: string;
  readonly life: Timer;
  idle: Timer;
  bytes: number;
};

/**
 * Statements whose rows are fetched page by page by another cell. A page is small, so no answer holds up the process
 * of either side; a statement without fetches is closed, so that its place is free again.
 */
export class LakeReads {
  readonly #clock: Clock;
  readonly #open = new Map<string, Open>();
  #nextId = 1;
  /** Whose statements are being opened. */
  readonly #opening: string[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with `cell.overloaded` where this principal, or the lake, has as many as it may, and as `open` does. */
  async open(open: () => Promise<LakeReader>, asker?: LakeAsker): Promise<LakeReadReply> {
    const by = asker === undefined ? '' : JSON.stringify([asker.tenant, asker.principal]);
    const all = [...[...this.#open.values()].map((one) => one.by), ...this.#opening];
    if (all.filter((one) => one === by).length >= LIMITS.LAKE_STREAMS_EACH_MAX)
      throw tooMany(
        `${asker?.principal ?? 'this robot'} already has ${LIMITS.LAKE_STREAMS_EACH_MAX} streamed answers open`,
      );
    if (all.length >= LIMITS.LAKE_STREAMS_MAX)
      throw tooMany(`${LIMITS.LAKE_STREAMS_MAX} answers are being streamed to other callers`);
    this.#opening.push(by);
    try {
      return this.#add(await open(), by);
    } finally {
      this.#opening.splice(this.#opening.indexOf(by), 1);
    }
  }

  #add(reader: LakeReader, by: string): LakeReadReply {
    const readId = String(this.#nextId++);
    const life = this.#clock.after(LIMITS.LAKE_STREAM_LIFE_MS, () => this.close(readId));
    this.#open.set(readId, { reader, by, life, idle: this.#idle(readId), bytes: 0 });
    return { readId, columns: reader.columns };
  }

  /** Rejects with `lake.unavailable` where the statement is closed, and as the lake does. The last page closes it. */
  async next(readId: unknown): Promise<LakePage> {
    const open = this.#open.get(String(readId));
    if (!open) throw gone(readId);
    open.idle.cancel();
    try {
      const left = LIMITS.LAKE_STREAM_BYTES_MAX - open.bytes;
      const page = await open.reader.next(Math.min(LIMITS.LAKE_PAGE_BYTES, left));
      open.bytes += page.bytes;
      if (page.end) return this.#closed(readId, page);
      if (open.bytes < LIMITS.LAKE_STREAM_BYTES_MAX) return page;
      const reason = `the budget of ${LIMITS.LAKE_STREAM_BYTES_MAX} bytes`;
      return this.#closed(readId, { ...page, end: { truncated: true, reason } });
    } catch (thrown) {
      this.close(readId);
      throw thrown;
    } finally {
      if (this.#open.has(String(readId))) open.idle = this.#idle(String(readId));
    }
  }

  /** An unknown one is closed already. */
  close(readId: unknown): void {
    const open = this.#open.get(String(readId));
    if (!open) return;
    this.#open.delete(String(readId));
    open.idle.cancel();
    open.life.cancel();
    void open.reader.close();
  }

  closeAll(): void {
    for (const readId of [...this.#open.keys()]) this.close(readId);
  }

  #closed(readId: unknown, page: LakePage): LakePage {
    this.close(readId);
    return page;
  }

  #idle(readId: string): Timer {
    return this.#clock.after(LIMITS.LAKE_STREAM_IDLE_MS, () => this.close(readId));
  }
}

function tooMany(message: string): EdgeError {
  return new EdgeError('cell.overloaded', {
    ...{ operation: 'lake.read', subject: 'lake', message },
    hint: 'try again when one has ended, or request the answer as JSON',
  });
}

function gone(readId: unknown): EdgeError {
  return new EdgeError('lake.unavailable', {
    operation: 'lake.read_next',
    subject: String(readId).slice(0, 64),
    message:
      'this statement is closed: it was read to its end, nothing was fetched from it for too long, or it lasted too long',
    hint: 'ask again',
  });
}
