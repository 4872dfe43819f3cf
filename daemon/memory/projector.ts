import {
  type AgentEvent,
  CELL_NAMES,
  type CellName,
  EdgeError,
  type EventReader,
  type Lake,
  type LakeCursor,
} from '../../contract/core.ts';

/** Events in one projected batch: large enough for Parquet to be worth it, small enough for the memory. */
const BATCH_EVENTS = 2_000;

export type OpenReader = (cell: CellName) => EventReader;
export type Round = {
  /** Events written in this round. */
  readonly events: number;
  /** Position reached in each log that exists. */
  readonly projected: Readonly<Partial<Record<CellName, number>>>;
  /** Logs that could not be read; the others were still projected. */
  readonly faults: ReadonlyMap<CellName, EdgeError>;
  /** Cells whose rows were dropped and projected again, since the lake did not match their log. */
  readonly disagreed: readonly CellName[];
};

/**
 * Carries events from the logs of all cells into the lake, in order, batch after batch. A log that is not
 * there is empty; a log with another first event is a new one and read from its start.
 */
export class Projector {
  readonly #openReader: OpenReader;
  readonly #readers = new Map<CellName, EventReader>();
  readonly #lag = new Map<CellName, number>();
  #done = 0;

  constructor(openReader: OpenReader) {
    this.#openReader = openReader;
  }

  /** Events projected since the start. */
  get done(): number {
    return this.#done;
  }

  /** Events per log that were seen and not yet projected, as of the last look. */
  lag(): Readonly<Partial<Record<CellName, number>>> {
    return Object.fromEntries(this.#lag);
  }

  /** Projects what the logs hold now. Rejects when the lake does; a log's fault is in the result. */
  async round(lake: Lake, stopped: () => boolean): Promise<Round> {
    const cursors = await lake.cursors();
    const faults = new Map<CellName, EdgeError>();
    const projected: Partial<Record<CellName, number>> = {};
    const disagreed: CellName[] = [];
    let events = 0;
    for (const cell of CELL_NAMES) {
      try {
        const target = this.#reader(cell).lastSeq();
        if (target === 0) continue;
        let from = this.#start(cell, cursors[cell]);
        if (cursors[cell] && !this.#agrees(cell, cursors[cell])) {
          disagreed.push(cell);
          await lake.rebuild(cell, this.#cutThrough(cell));
          from = 0;
        }
        this.#lag.set(cell, target - from);
        const reached = await this.#carry(lake, cell, from, target, stopped);
        events += reached - from;
        projected[cell] = reached;
      } catch (thrown) {
        if (!(thrown instanceof LogUnreadable)) throw thrown;
        faults.set(cell, thrown.fault);
      }
    }
    return { events, projected, faults, disagreed };
  }

  /** Looks how far the logs are ahead of the lake, without projecting. */
  look(cursors: Awaited<ReturnType<Lake['cursors']>>): Readonly<Partial<Record<CellName, number>>> {
    for (const cell of CELL_NAMES) {
      try {
        const last = this.#reader(cell).lastSeq();
        if (last > 0) this.#lag.set(cell, last - this.#start(cell, cursors[cell]));
      } catch (thrown) {
        if (!(thrown instanceof LogUnreadable)) throw thrown;
      }
    }
    return this.lag();
  }

  /** Drops what the logs can restore. What was removed from them stays: the lake has it alone. */
  async rebuild(lake: Lake): Promise<void> {
    const cuts = CELL_NAMES.map((cell) => [cell, this.#cutThrough(cell)] as const);
    if (cuts.every(([, through]) => through === 0)) return await lake.rebuild();
    for (const [cell, through] of cuts) await lake.rebuild(cell, through);
  }

  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }

  async #carry(
    lake: Lake,
    cell: CellName,
    from: number,
    target: number,
    stopped: () => boolean,
  ): Promise<number> {
    let at = from;
    const cutThrough = this.#cutThrough(cell);
    while (at < target && !stopped()) {
      const events = this.#read(cell, at, BATCH_EVENTS);
      const last = events.at(-1);
      if (!last) break;
      await lake.project(cell, events, cutThrough);
      this.#done += events.length;
      at = last.seq;
      this.#lag.set(cell, Math.max(0, target - at));
    }
    return at;
  }

  /** Where to continue in this log: at the cursor, unless the cursor belongs to another log. */
  #start(cell: CellName, cursor: LakeCursor | undefined): number {
    if (!cursor) return 0;
    return this.#read(cell, 0, 1)[0]?.event_id === cursor.epoch ? cursor.seq : 0;
  }

  /**
   * Whether the log still has the event at which the lake stands. It has not when a disk lied about what it
   * had written and lost the end of the log but not of the lake. The log is the truth then.
   */
  #agrees(cell: CellName, cursor: LakeCursor): boolean {
    if (this.#start(cell, cursor) === 0) return true;
    return this.#read(cell, cursor.seq - 1, 1)[0]?.hash === cursor.hash;
  }

  #read(cell: CellName, after: number, limit: number): AgentEvent[] {
    const reader = this.#reader(cell);
    return reading(cell, () => reader.read(after, limit));
  }

  #cutThrough(cell: CellName): number {
    const reader = this.#reader(cell);
    return reading(cell, () => reader.cutThrough?.() ?? 0);
  }

  #reader(cell: CellName): EventReader {
    const known = this.#readers.get(cell);
    if (known) return known;
    const reader = reading(cell, () => this.#openReader(cell));
    const safe: EventReader = {
      read: (after, limit, filter) => reader.read(after, limit, filter),
      lastSeq: () => reading(cell, () => reader.lastSeq()),
      cutThrough: () => reader.cutThrough?.() ?? 0,
      close: () => reader.close(),
    };
    this.#readers.set(cell, safe);
    return safe;
  }
}

/** A fault of one log, as opposed to a fault of the lake. */
class LogUnreadable extends Error {
  readonly fault: EdgeError;

  constructor(fault: EdgeError) {
    super(fault.message);
    this.fault = fault;
  }
}

function reading<T>(cell: CellName, read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    throw new LogUnreadable(EdgeError.from(thrown, 'log.failed', 'lake.project', `log of ${cell}`));
  }
}
