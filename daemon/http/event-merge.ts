import { type AgentEvent, CELL_NAMES, type CellName, LIMITS, type ReadFilter } from '../../contract/index.ts';
import { type Cursor, vector } from './event-cursor.ts';
import type { LogReaders } from './log-readers.ts';

type Lane = { position: number; page: AgentEvent[]; dry: boolean };

/**
 * The logs of all cells as one stream: in order per cell, and by time between cells as far as one page
 * allows. It pulls: at most a page per log is in memory, however slow the reader is.
 */
export class EventMerge {
  readonly #logs: LogReaders;
  readonly #filter: ReadFilter;
  readonly #until: Cursor | undefined;
  readonly #lanes: Record<CellName, Lane>;
  readonly #given: Record<CellName, number>;

  /** Starts after `from`; with `until` it ends there, else it continues as the logs grow. */
  constructor(logs: LogReaders, filter: ReadFilter, from: Cursor, until?: Cursor) {
    this.#logs = logs;
    this.#filter = filter;
    this.#until = until;
    this.#given = vector((cell) => from[cell]);
    this.#lanes = Object.fromEntries(
      CELL_NAMES.map((cell) => [cell, { position: from[cell], page: [], dry: false }]),
    ) as unknown as Record<CellName, Lane>;
  }

  /** The next event; undefined where all were read. */
  next(): AgentEvent | undefined {
    let best: CellName | undefined;
    for (const cell of CELL_NAMES) {
      const head = this.#head(cell);
      if (head && (best === undefined || earlier(head, this.#lanes[best].page[0]!))) best = cell;
    }
    if (best === undefined) return undefined;
    const event = this.#lanes[best].page.shift()!;
    this.#given[best] = event.seq;
    return event;
  }

  /** Looks at the logs again at the next call of `next`. */
  refresh(): void {
    for (const cell of CELL_NAMES) this.#lanes[cell].dry = false;
  }

  /** Where a reader that has taken everything given so far continues. */
  cursor(): Cursor {
    return { ...this.#given };
  }

  #head(cell: CellName): AgentEvent | undefined {
    const lane = this.#lanes[cell];
    if (lane.page.length === 0 && !lane.dry) this.#fill(cell, lane);
    return lane.page[0];
  }

  #fill(cell: CellName, lane: Lane): void {
    const limit = LIMITS.STREAM_PAGE_EVENTS;
    const end = this.#until?.[cell] ?? Number.POSITIVE_INFINITY;
    if (lane.position >= end) {
      lane.dry = true;
      return;
    }
    this.#logs.with(cell, undefined, (reader) => {
      // Looked at before the read: what the filter leaves out up to here need never be read again.
      const last = reader.lastSeq();
      const page = reader.read(lane.position, limit, this.#filter);
      lane.dry = page.length < limit;
      lane.page = page.filter((event) => event.seq <= end);
      lane.position = page.at(-1)?.seq ?? lane.position;
      if (lane.dry) lane.position = Math.max(lane.position, last);
    });
    if (lane.page.length === 0) lane.dry = true;
  }
}

/** Wire times have no leading zeros, so the longer is the later. */
function earlier(a: AgentEvent, b: AgentEvent): boolean {
  return a.ts.length === b.ts.length ? a.ts < b.ts : a.ts.length < b.ts.length;
}
