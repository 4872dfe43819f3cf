import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Clock,
  EdgeError,
  type LakeRows,
  LIMITS,
  type Timer,
  withDeadline,
} from '../../contract/core.ts';
import { lakeFailed } from './faults.ts';
import { jsonValue } from './json-values.ts';
import type { LakeEngine } from './lake-engine.ts';
import { checkReadOnly } from './read-only-statement.ts';
import { LAKE } from './schema-sql.ts';

/** Queries at the same time; they share the engine's memory limit. More are refused, not queued. */
const QUERIES_MAX = 4;
/** How long the engine may take to notice an interrupt before we stop waiting for it, milliseconds. */
const INTERRUPT_GRACE_MS = 2_000;
const INTERRUPT_AGAIN_MS = 50;

export type QueryOptions = { readonly limit: number; readonly timeoutMs: number };

/** Answers read-only statements, each on a connection of its own. */
export class LakeQueries {
  readonly #engine: LakeEngine;
  readonly #clock: Clock;
  readonly #running = new Map<DuckDBConnection, Promise<unknown>>();

  /** Connections that are being made. */
  #connecting = 0;
  #stopping = false;

  constructor(engine: LakeEngine, clock: Clock) {
    this.#engine = engine;
    this.#clock = clock;
  }

  async run(sql: string, options: QueryOptions): Promise<LakeRows> {
    if (this.#running.size + this.#connecting >= QUERIES_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'lake.query',
        subject: sql.slice(0, 200),
        message: `${QUERIES_MAX} queries are running`,
        hint: 'try again when one has ended',
      });
    }
    if (this.#stopping) throw stopped();
    this.#connecting += 1;
    const connection = await this.#engine.instance.connect().finally(() => {
      this.#connecting -= 1;
    });
    const answer = this.#answer(connection, sql, options).finally(() => {
      this.#running.delete(connection);
      connection.closeSync();
    });
    this.#running.set(connection, answer);
    const patience = options.timeoutMs + INTERRUPT_GRACE_MS;
    return withDeadline(this.#clock, patience, answer, 'lake.query', sql.slice(0, 200));
  }

  /** Interrupts what runs, refuses what comes, and waits until all have let go of the engine. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const interrupt = () => {
      for (const connection of this.#running.keys()) connection.interrupt();
    };
    interrupt();
    const again = this.#clock.every(INTERRUPT_AGAIN_MS, interrupt);
    await Promise.allSettled(this.#running.values());
    again.cancel();
  }

  async #answer(connection: DuckDBConnection, sql: string, options: QueryOptions): Promise<LakeRows> {
    const limit = Math.max(1, Math.min(options.limit, LIMITS.LAKE_ROWS_MAX));
    const interrupter = new Interrupter(this.#clock, connection, options.timeoutMs);
    try {
      await connection.run(`USE ${LAKE}`);
      await checkReadOnly(connection, sql);
      if (this.#stopping) throw stopped();
      // The second lock on the door: nothing in this transaction can write.
      await connection.run('BEGIN TRANSACTION READ ONLY');
      const reader = await connection.streamAndReadUntil(sql, limit + 1);
      const rows = reader.convertRows(jsonValue);
      const types = reader.columnTypes();
      return {
        columns: reader.columnNames().map((name, i) => ({ name, type: String(types[i]) })),
        rows: rows.slice(0, limit),
        truncated: rows.length > limit,
      };
    } catch (thrown) {
      throw interrupter.fired
        ? tooLate(sql, options.timeoutMs)
        : lakeFailed(thrown, 'lake.query', sql.slice(0, 200));
    } finally {
      interrupter.cancel();
    }
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
    message: 'the lake is being closed',
  });
}

function tooLate(sql: string, ms: number): EdgeError {
  return new EdgeError('deadline.exceeded', {
    operation: 'lake.query',
    subject: sql.slice(0, 200),
    message: `the query did not end within ${ms} ms and was interrupted`,
    hint: 'narrow it by cell, run or time, or give it longer',
  });
}
