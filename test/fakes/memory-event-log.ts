import { ChainVerifier } from '../../adapters/event-log/chain-verifier.ts';
import { CommitQueue } from '../../adapters/event-log/commit-queue.ts';
import { type Draft, draftsOf } from '../../adapters/event-log/draft.ts';
import { draftHashInput, sha256 } from '../../adapters/event-log/draft-hash.ts';
import {
  type AgentEvent,
  type CellName,
  type Clock,
  EdgeError,
  type EventLog,
  type EventReader,
  GENESIS_HASH,
  IdSource,
  type LogVerdict,
  type NewEvent,
  type RandomBytes,
  type ReadFilter,
  toMs,
} from '../../contract/index.ts';

/** What survives closing a MemoryEventLog: hand the same one to the next log to reopen it. */
export class MemoryLogDisk {
  readonly events: AgentEvent[] = [];
  writer: MemoryEventLog | undefined;
  /** When set, every commit fails with it, as a full disk does. */
  fault: EdgeError | undefined;
  /** See `EventReader`. */
  cutThrough = 0;

  get lastSeq(): number {
    return Math.max(this.cutThrough, this.events.at(-1)?.seq ?? 0);
  }

  /** Removes what a cutter would: all up to `through` but the first event. */
  cut(through: number): void {
    this.cutThrough = through;
    this.events.splice(1, this.events.filter(({ seq }) => seq > 1 && seq <= through).length);
  }
}

type Options = {
  readonly cell: CellName;
  readonly clock: Clock;
  readonly random?: RandomBytes;
  readonly disk?: MemoryLogDisk;
};
type Append = {
  readonly drafts: readonly Draft[];
  readonly resolve: (events: readonly AgentEvent[]) => void;
  readonly reject: (error: unknown) => void;
};

/** EventLog in memory: as strict as the real one about payloads, bounds, order and the single writer. */
export class MemoryEventLog implements EventLog {
  readonly #cell: CellName;
  readonly #clock: Clock;
  readonly #ids: IdSource;
  readonly disk: MemoryLogDisk;
  readonly #queue = new CommitQueue<Append>();
  #pumping: Promise<void> | undefined;
  #closed = false;

  constructor(options: Options) {
    const { cell, clock, disk = new MemoryLogDisk() } = options;
    if (disk.writer)
      throw new EdgeError('host.data_dir_in_use', {
        operation: 'log.open',
        subject: `memory log of ${cell}`,
      });
    disk.writer = this;
    this.#cell = cell;
    this.#clock = clock;
    this.disk = disk;
    const last = disk.events.at(-1)?.event_id;
    const floor = last === undefined ? 0 : Number.parseInt(last.slice(0, 8) + last.slice(9, 13), 16) + 1;
    let counter = 0;
    const random = options.random ?? ((length) => new Uint8Array(length).fill(++counter));
    this.#ids = new IdSource(() => Math.max(floor, toMs(clock.now())), random);
  }

  /** Everything that was appended, in order. */
  get events(): readonly AgentEvent[] {
    return this.disk.events;
  }

  async append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
    if (this.#closed) throw failed('the log is closed');
    if (events.length === 0) return [];
    const now = this.#clock.now();
    const drafts = draftsOf(events, this.#ids, now);
    if (drafts instanceof Promise) return drafts;
    const bytes = drafts.reduce((sum, draft) => sum + draft.payload.length, 0);
    return new Promise((resolve, reject) => {
      this.#queue.admit({ item: { drafts, resolve, reject }, events: drafts.length, bytes });
      this.#pumping ??= this.#pump();
    });
  }

  reader(): EventReader {
    return new MemoryEventReader(this.disk);
  }

  async verify(): Promise<LogVerdict> {
    const chain = new ChainVerifier(this.#cell);
    for (const event of this.disk.events) chain.add(event);
    return chain.verdict();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#pumping;
    if (this.disk.writer === this) this.disk.writer = undefined;
  }

  async #pump(): Promise<void> {
    await Promise.resolve();
    for (let batch = this.#queue.next(); batch.length > 0; batch = this.#queue.next()) {
      const { fault } = this.disk;
      if (fault) for (const append of [...batch, ...this.#queue.drain()]) append.reject(fault);
      else for (const append of batch) append.resolve(append.drafts.map((draft) => this.#add(draft)));
    }
    this.#pumping = undefined;
  }

  #add(draft: Draft): AgentEvent {
    const seq = this.disk.lastSeq + 1;
    const prev_hash = this.disk.events.at(-1)?.hash ?? GENESIS_HASH;
    const event = {
      event_id: draft.event_id,
      ...(draft.run_id === undefined ? {} : { run_id: draft.run_id }),
      kind: draft.kind,
      payload: JSON.parse(draft.payload),
      ts: draft.ts,
      cell: this.#cell,
      seq,
      prev_hash,
      hash: sha256(draftHashInput(draft, this.#cell, seq, prev_hash)),
    } as AgentEvent;
    this.disk.events.push(event);
    return event;
  }
}

class MemoryEventReader implements EventReader {
  readonly #disk: MemoryLogDisk;

  constructor(disk: MemoryLogDisk) {
    this.#disk = disk;
  }

  read(after: number, limit: number, filter: ReadFilter = {}): AgentEvent[] {
    const { runId, kinds } = filter;
    return this.#disk.events
      .filter((e) => e.seq > after && (runId === undefined || e.run_id === runId))
      .filter((e) => kinds === undefined || kinds.includes(e.kind))
      .slice(0, limit);
  }

  lastSeq(): number {
    return this.#disk.lastSeq;
  }

  cutThrough(): number {
    return this.#disk.cutThrough;
  }

  close(): void {}
}

function failed(message: string): EdgeError {
  return new EdgeError('log.failed', {
    operation: 'log.append',
    subject: 'memory log',
    message,
    retryable: false,
  });
}
