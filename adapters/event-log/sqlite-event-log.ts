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
  toMs,
} from '../../contract/core.ts';
import { CallerCommitter } from './caller-committer.ts';
import { checkTail } from './check-tail.ts';
import { CommitQueue } from './commit-queue.ts';
import type { Committer } from './committer.ts';
import { type Draft, draftsOf } from './draft.ts';
import { logPath } from './log-schema.ts';
import type { Committed, LogHead } from './log-store.ts';
import { randomPool } from './random-pool.ts';
import { SqliteEventReader } from './sqlite-event-reader.ts';
import { verifyInSlices } from './verify-log.ts';
import { WorkerCommitter } from './worker-committer.ts';

/** Who waits for the disk: a thread of its own, or the thread that appends (saves 10 to 20 MB). */
export type CommitThread = 'worker' | 'caller';

export type EventLogOptions = {
  /** The log lies in `<dataDir>/events/<cell>.db`. */
  readonly dataDir: string;
  readonly cell: CellName;
  readonly clock: Clock;
  /** For ids; a simulation passes its seeded source. */
  readonly random?: RandomBytes;
  /** `worker` unless said otherwise; see docs/decisions/0005-event-log-commit-thread.md for who may choose `caller`. */
  readonly thread?: CommitThread;
};

/** What a heartbeat or a metric may want to know. */
export type EventLogStats = {
  readonly waiting: number;
  readonly committed: number;
  readonly commits: number;
  readonly lastCommitMs: number;
};

type Append = {
  readonly drafts: readonly Draft[];
  readonly events: readonly NewEvent[];
  readonly resolve: (events: readonly AgentEvent[]) => void;
  readonly reject: (error: unknown) => void;
};

/**
 * The event log of one cell on SQLite (WAL, synchronous FULL), committed by default by a thread of its own, so
 * that the caller's never waits for the disk. What is appended while a commit runs goes into the next one. One
 * append is one transaction: all of its events or none. When a commit fails, everything that was queued
 * behind it is rejected too, since it may build on what was lost; the next append tries the disk again.
 */
export class SqliteEventLog implements EventLog {
  readonly #options: EventLogOptions;
  readonly #path: string;
  readonly #ids: IdSource;
  readonly #queue = new CommitQueue<Append>();
  #committer: Committer;
  #head: LogHead;
  #pumping: Promise<void> | undefined;
  #closed: Promise<void> | undefined;
  #committed = 0;
  #commits = 0;
  #lastCommitMs = 0;

  private constructor(options: EventLogOptions, committer: Committer, head: LogHead) {
    this.#options = options;
    this.#path = logPath(options.dataDir, options.cell);
    this.#committer = committer;
    this.#head = head;
    // Ids keep rising after a restart, also when the clock came back earlier than it went.
    const floorMs = head.lastEventId === undefined ? 0 : idMs(head.lastEventId) + 1;
    const nowMs = () => Math.max(floorMs, toMs(options.clock.now()));
    this.#ids = new IdSource(nowMs, options.random ?? randomPool());
  }

  /**
   * Opens the log, or makes it. Rejects with `host.data_dir_in_use` (another writer), `log.damaged` or
   * `log.tampered` (the file cannot be trusted; nothing was changed) or `log.failed`.
   */
  static async open(options: EventLogOptions): Promise<SqliteEventLog> {
    const { committer, head } = await openCommitter(options);
    try {
      checkTail(logPath(options.dataDir, options.cell), options.cell, head);
    } catch (thrown) {
      await committer.close();
      throw thrown;
    }
    return new SqliteEventLog(options, committer, head);
  }

  /** Id of the first event of this log; `undefined` while it is empty. */
  get epoch(): string | undefined {
    return this.#head.epoch;
  }

  get lastSeq(): number {
    return this.#head.lastSeq;
  }

  stats(): EventLogStats {
    return {
      waiting: this.#queue.events,
      committed: this.#committed,
      commits: this.#commits,
      lastCommitMs: this.#lastCommitMs,
    };
  }

  async append(events: readonly NewEvent[]): Promise<readonly AgentEvent[]> {
    if (this.#closed) throw this.#closedError();
    if (events.length === 0) return [];
    const now = this.#options.clock.now();
    const drafts = draftsOf(events, this.#ids, now);
    if (drafts instanceof Promise) return drafts;
    const bytes = drafts.reduce((sum, draft) => sum + draft.payload.length, 0);
    return new Promise<readonly AgentEvent[]>((resolve, reject) => {
      this.#queue.admit({ item: { drafts, events, resolve, reject }, events: events.length, bytes });
      this.#pumping ??= this.#pump();
    });
  }

  reader(): EventReader {
    return new SqliteEventReader(this.#path, this.#options.cell);
  }

  verify(): Promise<LogVerdict> {
    return verifyInSlices(this.#path);
  }

  close(): Promise<void> {
    this.#closed ??= this.#finish();
    return this.#closed;
  }

  async #pump(): Promise<void> {
    // Whatever else this turn of the event loop appends belongs into the same commit.
    await new Promise<void>((resolve) => setImmediate(resolve));
    for (let batch = this.#queue.next(); batch.length > 0; batch = this.#queue.next()) {
      const started = this.#options.clock.monotonicMs();
      try {
        const commit = await this.#commit(batch.flatMap((append) => append.drafts));
        this.#lastCommitMs = this.#options.clock.monotonicMs() - started;
        this.#acknowledge(batch, commit);
      } catch (error) {
        for (const append of [...batch, ...this.#queue.drain()]) append.reject(error);
      }
    }
    this.#pumping = undefined;
  }

  async #commit(drafts: readonly Draft[]): Promise<Committed> {
    if (this.#committer.dead) {
      const { committer, head } = await openCommitter(this.#options);
      this.#committer = committer;
      this.#head = head;
    }
    return this.#committer.commit(drafts);
  }

  #acknowledge(batch: readonly Append[], commit: Committed): void {
    const { cell } = this.#options;
    let index = 0;
    let last: AgentEvent | undefined;
    for (const append of batch) {
      const events = append.drafts.map((draft, i) => {
        const at = index++;
        last = {
          event_id: draft.event_id,
          ...(draft.run_id === undefined ? {} : { run_id: draft.run_id }),
          kind: draft.kind,
          payload: append.events[i]!.payload,
          ts: draft.ts,
          cell,
          seq: commit.firstSeq + at,
          prev_hash: at === 0 ? commit.prevHash : commit.hashes[at - 1]!,
          hash: commit.hashes[at]!,
        } as AgentEvent;
        return last;
      });
      append.resolve(events);
    }
    this.#committed += index;
    this.#commits += 1;
    if (!last) return;
    this.#head = {
      lastSeq: last.seq,
      lastHash: last.hash,
      lastEventId: last.event_id,
      epoch: this.#head.epoch ?? batch[0]!.drafts[0]!.event_id,
    };
  }

  async #finish(): Promise<void> {
    await this.#pumping;
    await this.#committer.close();
  }

  #closedError(): EdgeError {
    return new EdgeError('log.failed', {
      operation: 'log.append',
      subject: this.#path,
      message: 'the log is closed',
      retryable: false,
    });
  }
}

async function openCommitter(options: EventLogOptions): Promise<{ committer: Committer; head: LogHead }> {
  const { dataDir, cell, thread } = options;
  const input = { path: logPath(dataDir, cell), cell, genesis: GENESIS_HASH };
  const committer = thread === 'caller' ? new CallerCommitter(input) : new WorkerCommitter(input);
  return { committer, head: await committer.open() };
}

/** The 48 bits of time in a UUIDv7, milliseconds since the epoch. */
function idMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
