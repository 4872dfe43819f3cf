import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Clock,
  EdgeError,
  type LakeAsk,
  type LakeOverdue,
  type LakePage,
  type LakeReader,
  type LakeRows,
  LIMITS,
  pause,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { isOutOfMemory, lakeFailed, noMemory } from './faults.ts';
import { namesRecorded, notShared } from './guests.ts';
import type { LakeEngine } from './lake-engine.ts';
import type { MessageStage } from './message-stage.ts';
import { messagesCalls } from './messages-call.ts';
import { checkReadOnly, refuse, type SyntaxTree } from './read-only-statement.ts';
import { RowReader } from './row-reader.ts';
import { LAKE } from './schema-sql.ts';
import type { TopicWriter } from './topic-writer.ts';

/** How long the engine may take to notice an interrupt before we stop waiting for it, milliseconds. */
const INTERRUPT_GRACE_MS = 2_000;
const INTERRUPT_AGAIN_MS = 50;
/** First and longest pause before a statement that found no memory is tried again, milliseconds. */
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1_600;
/** A statement that fails later than this used much memory itself: it is not tried again, milliseconds. */
const GREEDY_MS = 500;
const BROKEN_TRIES_MAX = 6;

/** Answers read-only statements, each on a connection of its own. More than there are connections are refused. */
export class LakeQueries {
  readonly #clock: Clock;
  readonly #stage: MessageStage | undefined;
  /** Names of tables that hold recorded messages. */
  readonly #recorded: ReadonlySet<string>;
  readonly #places: number;
  readonly #free: DuckDBConnection[];
  /** In the order in which they were opened. */
  readonly #open = new Set<StatementReader>();
  #opened = 0;
  #stopping = false;

  /** Without a stage, messages() is refused. */
  constructor(engine: LakeEngine, clock: Clock, stage?: MessageStage, topics?: TopicWriter) {
    this.#recorded = new Set(topics?.specs.map(({ name }) => name));
    this.#clock = clock;
    this.#stage = stage;
    this.#free = [...engine.readers];
    this.#places = engine.readers.length;
  }

  /** No statement is open. */
  get isIdle(): boolean {
    return this.#open.size === 0;
  }

  /** Statements that the engine still computes although they were interrupted. */
  overdue(): LakeOverdue {
    const overdue = [...this.#open].filter((reader) => reader.isOverdue);
    return { count: overdue.length, oldest: overdue[0]?.number ?? 0 };
  }

  /**
   * One answer within its bytes. The memory of the engine is shared: a statement that finds none while others are
   * running is tried again, within its time. Rejects with `cell.overloaded` where the others keep running.
   */
  async run(sql: string, ask: LakeAsk): Promise<LakeRows> {
    const until = this.#clock.monotonicMs() + ask.timeoutMs;
    for (let tries = 1; ; tries++) {
      const start = this.#clock.monotonicMs();
      try {
        return await this.#run(sql, { ...ask, timeoutMs: Math.max(1, until - start) });
      } catch (thrown) {
        const now = this.#clock.monotonicMs();
        const isNoMemory = isOutOfMemory(thrown);
        // Where the engine gives no reason it may be the statement itself: it is not tried for long.
        const isTriable = isNoMemory || (thrown instanceof BrokenOff && tries < BROKEN_TRIES_MAX);
        if (!isTriable || now - start > GREEDY_MS || this.#open.size === 0) throw thrown;
        const pauseMs = Math.min(RETRY_FIRST_MS * 2 ** (tries - 1), RETRY_MAX_MS);
        if (now + pauseMs >= until) throw isNoMemory ? noMemory(sql, thrown) : thrown;
        await pause(this.#clock, pauseMs);
      }
    }
  }

  async #run(sql: string, ask: LakeAsk): Promise<LakeRows> {
    const most = Math.min(ask.bytes ?? LIMITS.LAKE_ANSWER_BYTES_MAX, LIMITS.LAKE_ANSWER_BYTES_MAX);
    const reader = await this.open(sql, ask);
    try {
      const { rows, bytes, cut, end } = await reader.next(most);
      const reason = end ? end.reason : `${rows.length} rows fill the budget of ${most} bytes`;
      const notes = end?.notes ? { notes: end.notes } : {};
      return {
        columns: reader.columns,
        rows,
        bytes,
        cut,
        truncated: end?.truncated ?? true,
        reason,
        ...notes,
      };
    } finally {
      await soon(this.#clock, reader.close());
    }
  }

  /**
   * Rejects with `cell.overloaded` where every connection is in use, or this caller has as many as it may; the caller
   * closes the reader.
   */
  async open(sql: string, ask: LakeAsk): Promise<LakeReader> {
    if (this.#stopping) throw stopped();
    const { by = '' } = ask;
    const own = [...this.#open].filter((reader) => reader.by === by).length;
    const isKept = own > 0 && this.#free.length <= LIMITS.LAKE_QUERIES_KEPT;
    if (by !== '' && (own >= LIMITS.LAKE_QUERIES_EACH_MAX || isKept))
      throw tooMany(sql, `${own} queries of this caller are already running`);
    const connection = this.#free.pop();
    if (!connection) throw tooMany(sql, `${this.#places} queries are running`);
    const isShared = (tree: SyntaxTree) => ask.isGuest !== true || !namesRecorded(tree, this.#recorded);
    const reader = new StatementReader(
      connection,
      this.#clock,
      sql,
      ask,
      ++this.#opened,
      this.#stage,
      isShared,
    );
    this.#open.add(reader);
    void reader.released.then(() => {
      this.#open.delete(reader);
      this.#free.push(connection);
    });
    try {
      await reader.begin();
    } catch (thrown) {
      void reader.close();
      throw thrown;
    }
    return reader;
  }

  /** Interrupts running statements, refuses new ones, and waits until the engine is free. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const readers = [...this.#open];
    await Promise.all(readers.map((reader) => reader.abort()));
  }
}

/** A statement that failed after its first rows. */
class BrokenOff extends EdgeError {}

/** One statement on one connection, which is given back when its work is over. */
class StatementReader implements LakeReader {
  /** Counts the statements since the lake was opened. */
  readonly number: number;
  readonly by: string;
  readonly #connection: DuckDBConnection;
  readonly #clock: Clock;
  readonly #sql: string;
  readonly #ask: LakeAsk;
  readonly #stage: MessageStage | undefined;
  readonly #isShared: (tree: SyntaxTree) => boolean;
  /** Tables of messages that were made for this statement. */
  readonly #tables: string[] = [];
  #notes: readonly string[] = [];
  readonly #released = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #rows: RowReader | undefined;
  /** The current work of the connection; one job at a time. */
  #work: Promise<unknown> = Promise.resolve();
  #spentMs = 0;
  #closed = false;
  #isWorking = false;
  #isOverdue = false;

  constructor(
    connection: DuckDBConnection,
    clock: Clock,
    sql: string,
    ask: LakeAsk,
    number: number,
    stage?: MessageStage,
    isShared: (tree: SyntaxTree) => boolean = () => true,
  ) {
    this.#isShared = isShared;
    this.#stage = stage;
    this.number = number;
    this.by = ask.by ?? '';
    this.#connection = connection;
    this.#clock = clock;
    this.#sql = sql;
    this.#ask = ask;
  }

  get columns(): LakeReader['columns'] {
    return this.#rows?.columns ?? [];
  }

  /** Its time is over, it was interrupted, and the engine still works on it. */
  get isOverdue(): boolean {
    return this.#isOverdue;
  }

  /** Settles when the connection can be used again. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  async begin(): Promise<void> {
    const { limit, valueBytes = LIMITS.LAKE_VALUE_BYTES_MAX } = this.#ask;
    await this.#timed(async (interrupter) => {
      const connection = this.#connection;
      await connection.run(`USE ${LAKE}`);
      const tree = await checkReadOnly(connection, this.#sql);
      const sql = await this.#withMessages(tree, interrupter);
      if (this.#closed) throw stopped();
      // A second protection: nothing in this transaction can write.
      await connection.run('BEGIN TRANSACTION READ ONLY');
      const result = await connection.stream(sql);
      this.#rows = new RowReader(result, {
        rows: Math.max(1, Math.min(limit, LIMITS.LAKE_ROWS_MAX)),
        valueBytes: Math.max(1, Math.min(valueBytes, LIMITS.LAKE_VALUE_BYTES_MAX)),
      });
    });
  }

  /** The statement with its recorded messages read, should it ask for any. */
  async #withMessages(tree: SyntaxTree, interrupter: Interrupter): Promise<string> {
    if (!this.#isShared(tree)) throw notShared();
    if (messagesCalls(tree).length === 0) return this.#sql;
    if (!this.#stage) throw refuse(this.#sql, 'this lake is opened without its recordings', '');
    const isEnded = () => this.#closed || interrupter.fired;
    const ended = Promise.race([this.#ended.promise, interrupter.over.promise]);
    const staged = await this.#stage.prepare(this.#connection, this.#sql, tree, this.#tables, isEnded, ended);
    this.#notes = staged.notes;
    return staged.sql;
  }

  next(bytes: number): Promise<LakePage> {
    return this.#timed(async () => {
      const rows = this.#rows;
      if (!rows || this.#closed) throw stopped();
      const page = await rows.page(bytes);
      if (page.end && !page.end.truncated) await this.#requireWhole();
      if (!page.end || this.#notes.length === 0) return page;
      return { ...page, end: { ...page.end, notes: this.#notes } };
    });
  }

  /** A stream that fails ends as one that is over; only its transaction knows. */
  async #requireWhole(): Promise<void> {
    try {
      await this.#connection.run('SELECT 1');
    } catch (cause) {
      throw new BrokenOff('lake.failed', {
        operation: 'lake.query',
        subject: this.#sql.slice(0, 200),
        message: 'the statement failed in the middle of its rows, and the engine does not say why',
        hint: 'possible causes are memory, a cast or error(): select fewer rows, or run count(*) on the statement to see the reason',
        cause,
      });
    }
  }

  /** May be called twice; resolves when the engine is free, which may take long if it does not react. */
  close(): Promise<void> {
    if (this.#closed) return this.released;
    this.#closed = true;
    this.#ended.resolve();
    // No caller waits for its rows any longer.
    if (this.#isWorking) this.#connection.interrupt();
    void this.#work
      .catch(() => {})
      .then(() => this.#connection.run('ROLLBACK'))
      .catch(() => {
        // There was no transaction yet.
      })
      .then(() => this.#dropTables())
      .then(() => {
        this.#rows?.drop();
        this.#rows = undefined;
        this.#released.resolve();
      });
    return this.released;
  }

  async #dropTables(): Promise<void> {
    for (const table of this.#tables)
      await this.#connection.run(`DROP TABLE IF EXISTS temp.main.${table}`).catch(() => {});
  }

  /** Interrupts the running statement, repeatedly if needed. */
  async abort(): Promise<void> {
    const closed = this.close();
    this.#connection.interrupt();
    const again = this.#clock.every(INTERRUPT_AGAIN_MS, () => this.#connection.interrupt());
    await closed;
    again.cancel();
  }

  /** Runs `work` within what is left of the time of this statement; the time of its reader does not count. */
  async #timed<T>(work: (interrupter: Interrupter) => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#ask;
    const start = this.#clock.monotonicMs();
    const leftMs = Math.max(1, timeoutMs - this.#spentMs);
    const interrupter = new Interrupter(this.#clock, this.#connection, leftMs);
    let isOver = false;
    this.#isWorking = true;
    const doing = this.#work
      .catch(() => {})
      .then(() => work(interrupter))
      .then((done) => {
        // An interrupted statement may look as if it were finished.
        if (interrupter.fired) throw tooLate(this.#sql, timeoutMs);
        return done;
      })
      .catch((thrown: unknown) => {
        throw interrupter.fired
          ? tooLate(this.#sql, timeoutMs)
          : lakeFailed(thrown, 'lake.query', this.#sql.slice(0, 200));
      })
      .finally(() => {
        isOver = true;
        this.#isWorking = false;
        this.#isOverdue = false;
        interrupter.cancel();
        this.#spentMs += this.#clock.monotonicMs() - start;
      });
    this.#work = doing;
    const patience = leftMs + INTERRUPT_GRACE_MS;
    try {
      return await withDeadline(this.#clock, patience, doing, 'lake.query', this.#sql.slice(0, 200));
    } catch (thrown) {
      this.#isOverdue = interrupter.fired && !isOver;
      throw this.#isOverdue ? tooLate(this.#sql, timeoutMs) : thrown;
    }
  }
}

/** Stops a connection's work when its time is over; again and again, should it just be between two steps. */
class Interrupter {
  readonly #timers: Timer[] = [];
  /** Settles with `fired`. */
  readonly over = Promise.withResolvers<void>();
  fired = false;

  constructor(clock: Clock, connection: DuckDBConnection, ms: number) {
    this.#timers.push(
      clock.after(ms, () => {
        this.fired = true;
        this.over.resolve();
        connection.interrupt();
        this.#timers.push(clock.every(INTERRUPT_AGAIN_MS, () => connection.interrupt()));
      }),
    );
  }

  cancel(): void {
    for (const timer of this.#timers) timer.cancel();
  }
}

/** Waits for the connection, so that a caller with one statement after the other is not refused; not for long. */
async function soon(clock: Clock, released: Promise<void>): Promise<void> {
  await withDeadline(clock, RETRY_FIRST_MS, released, 'lake.query', 'close').catch(() => {});
}

function tooMany(sql: string, message: string): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: 'lake.query',
    subject: sql.slice(0, 200),
    message,
    hint: 'try again when one has ended',
  });
}

function stopped(): EdgeError {
  return new EdgeError('lake.unavailable', {
    operation: 'lake.query',
    subject: LAKE,
    message: 'the statement is closed',
  });
}

function tooLate(sql: string, ms: number): EdgeError {
  return new EdgeError('deadline.exceeded', {
    operation: 'lake.query',
    subject: sql.slice(0, 200),
    message: `the query did not end within ${Math.round(ms)} ms and was interrupted`,
    hint: 'restrict the query by cell, run or time, or raise its timeout',
  });
}
