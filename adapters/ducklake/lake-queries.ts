import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Clock,
  EdgeError,
  type LakeAsk,
  type LakePage,
  type LakeReader,
  type LakeRows,
  LIMITS,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { lakeFailed } from './faults.ts';
import type { LakeEngine } from './lake-engine.ts';
import { checkReadOnly } from './read-only-statement.ts';
import { RowReader } from './row-reader.ts';
import { LAKE } from './schema-sql.ts';

/** How long the engine may take to notice an interrupt before we stop waiting for it, milliseconds. */
const INTERRUPT_GRACE_MS = 2_000;
const INTERRUPT_AGAIN_MS = 50;

/** Answers read-only statements, each on a connection of its own. More than there are connections are refused. */
export class LakeQueries {
  readonly #clock: Clock;
  readonly #places: number;
  readonly #free: DuckDBConnection[];
  readonly #open = new Set<StatementReader>();
  #stopping = false;

  constructor(engine: LakeEngine, clock: Clock) {
    this.#clock = clock;
    this.#free = [...engine.readers];
    this.#places = engine.readers.length;
  }

  /** One answer within its bytes. */
  async run(sql: string, ask: LakeAsk): Promise<LakeRows> {
    const most = Math.min(ask.bytes ?? LIMITS.LAKE_ANSWER_BYTES_MAX, LIMITS.LAKE_ANSWER_BYTES_MAX);
    const reader = await this.open(sql, ask);
    try {
      const { rows, bytes, cut, end } = await reader.next(most);
      const reason = end ? end.reason : `${rows.length} rows fill the budget of ${most} bytes`;
      return { columns: reader.columns, rows, bytes, cut, truncated: end?.truncated ?? true, reason };
    } finally {
      void reader.close();
    }
  }

  /** Rejects with `cell.overloaded` where every connection is in use; the caller closes the reader. */
  async open(sql: string, ask: LakeAsk): Promise<LakeReader> {
    if (this.#stopping) throw stopped();
    const connection = this.#free.pop();
    if (!connection)
      throw new EdgeError('cell.overloaded', {
        operation: 'lake.query',
        subject: sql.slice(0, 200),
        message: `${this.#places} queries are running`,
        hint: 'try again when one has ended',
      });
    const reader = new StatementReader(connection, this.#clock, sql, ask);
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

/** One statement on one connection, which is given back when its work is over. */
class StatementReader implements LakeReader {
  readonly #connection: DuckDBConnection;
  readonly #clock: Clock;
  readonly #sql: string;
  readonly #ask: LakeAsk;
  readonly #released = Promise.withResolvers<void>();
  #rows: RowReader | undefined;
  /** The current work of the connection; one job at a time. */
  #work: Promise<unknown> = Promise.resolve();
  #spentMs = 0;
  #closed = false;

  constructor(connection: DuckDBConnection, clock: Clock, sql: string, ask: LakeAsk) {
    this.#connection = connection;
    this.#clock = clock;
    this.#sql = sql;
    this.#ask = ask;
  }

  get columns(): LakeReader['columns'] {
    return this.#rows?.columns ?? [];
  }

  /** Settles when the connection can be used again. */
  get released(): Promise<void> {
    return this.#released.promise;
  }

  async begin(): Promise<void> {
    const { limit, valueBytes = LIMITS.LAKE_VALUE_BYTES_MAX } = this.#ask;
    await this.#timed(async () => {
      const connection = this.#connection;
      await connection.run(`USE ${LAKE}`);
      await checkReadOnly(connection, this.#sql);
      if (this.#closed) throw stopped();
      // A second protection: nothing in this transaction can write.
      await connection.run('BEGIN TRANSACTION READ ONLY');
      const result = await connection.stream(this.#sql);
      this.#rows = new RowReader(result, {
        rows: Math.max(1, Math.min(limit, LIMITS.LAKE_ROWS_MAX)),
        valueBytes: Math.max(1, Math.min(valueBytes, LIMITS.LAKE_VALUE_BYTES_MAX)),
      });
    });
  }

  next(bytes: number): Promise<LakePage> {
    return this.#timed(async () => {
      const rows = this.#rows;
      if (!rows || this.#closed) throw stopped();
      const page = await rows.page(bytes);
      if (page.end && !page.end.truncated) await this.#requireWhole();
      return page;
    });
  }

  /** A stream that fails ends as one that is over; only its transaction knows. */
  async #requireWhole(): Promise<void> {
    try {
      await this.#connection.run('SELECT 1');
    } catch (cause) {
      throw new EdgeError('lake.failed', {
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
    void this.#work
      .catch(() => {})
      .then(() => this.#connection.run('ROLLBACK'))
      .catch(() => {
        // There was no transaction yet.
      })
      .then(() => {
        this.#rows?.drop();
        this.#rows = undefined;
        this.#released.resolve();
      });
    return this.released;
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
  async #timed<T>(work: () => Promise<T>): Promise<T> {
    const { timeoutMs } = this.#ask;
    const start = this.#clock.monotonicMs();
    const leftMs = Math.max(1, timeoutMs - this.#spentMs);
    const interrupter = new Interrupter(this.#clock, this.#connection, leftMs);
    const doing = this.#work
      .catch(() => {})
      .then(work)
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
        interrupter.cancel();
        this.#spentMs += this.#clock.monotonicMs() - start;
      });
    this.#work = doing;
    const patience = leftMs + INTERRUPT_GRACE_MS;
    return withDeadline(this.#clock, patience, doing, 'lake.query', this.#sql.slice(0, 200));
  }
}

/** Stops a connection's work when its time is over; again and again, should it just be between two steps. */
class Interrupter {
  readonly #timers: Timer[] = [];
  fired = false;

  constructor(clock: Clock, connection: DuckDBConnection, ms: number) {
    this.#timers.push(
      clock.after(ms, () => {
        this.fired = true;
        connection.interrupt();
        this.#timers.push(clock.every(INTERRUPT_AGAIN_MS, () => connection.interrupt()));
      }),
    );
  }

  cancel(): void {
    for (const timer of this.#timers) timer.cancel();
  }
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
    message: `the query did not end within ${ms} ms and was interrupted`,
    hint: 'restrict the query by cell, run or time, or raise its timeout',
  });
}
