import { type DuckDBAppender, DuckDBTimestampNanosecondsValue } from '@duckdb/node-api';
import { type AgentEvent, type CellName, EdgeError, type LakeCursor } from '../../contract/core.ts';
import { INLINE_ROWS } from './attach.ts';
import type { LakeEngine } from './lake-engine.ts';
import { withoutRepeats } from './repeats.ts';
import { LAKE, quote } from './schema-sql.ts';
import { STEP_TABLES } from './step-tables.ts';
import type { StepWriter } from './step-writer.ts';
import { type Column, EPOCHS, POSITION, TABLES, type Table, type Value } from './tables.ts';
import { TOPIC_SEGMENTS } from './topic-tables.ts';
import type { TopicWriter } from './topic-writer.ts';

/** Text that the engine takes at once: with much more a batch of large events is too much for its memory. */
const APPENDED_CHARS = 8e6;

type End = { readonly seq: number; readonly hash: string };
type Rows = { readonly table: Table; readonly rows: readonly (readonly Value[])[] };

/**
 * Writes batches of events into the tables. The cursor of a log is what the table `events` holds of it, so
 * it cannot disagree with the data. One call at a time.
 */
export class LakeWriter {
  readonly #engine: LakeEngine;
  readonly #steps: StepWriter;
  readonly #topics: TopicWriter;
  /** The last event by cell and epoch. */
  readonly #ends = new Map<CellName, Map<string, End>>();
  readonly #current = new Map<CellName, string>();
  #ordinal = 0;

  constructor(engine: LakeEngine, steps: StepWriter, topics: TopicWriter) {
    this.#engine = engine;
    this.#steps = steps;
    this.#topics = topics;
  }

  /** Reads the cursors back; before anything else. */
  async load(): Promise<void> {
    const epochs = await this.#rows(`SELECT cell, epoch, ordinal FROM ${LAKE}.epochs ORDER BY ordinal`);
    for (const [cell, epoch, ordinal] of epochs as [CellName, string, bigint][]) {
      this.#current.set(cell, epoch);
      this.#ordinal = Math.max(this.#ordinal, Number(ordinal));
    }
    const ends = await this.#rows(
      `SELECT cell, epoch, max(seq), arg_max(hash, seq) FROM ${LAKE}.events GROUP BY cell, epoch`,
    );
    for (const [cell, epoch, seq, hash] of ends as [CellName, string, bigint, string][])
      this.#remember(cell, epoch, { seq: Number(seq), hash });
  }

  cursors(): Partial<Record<CellName, LakeCursor>> {
    const cursors: Partial<Record<CellName, LakeCursor>> = {};
    for (const [cell, epoch] of this.#current) {
      const end = this.#ends.get(cell)?.get(epoch);
      if (end) cursors[cell] = { epoch, ...end };
    }
    return cursors;
  }

  /** Drops rows of the current log of a cell, those behind `keepThrough`; those of its earlier logs stay. */
  async forget(cell: CellName, keepThrough = 0): Promise<void> {
    const epoch = this.#current.get(cell);
    if (epoch === undefined) return;
    const where = `WHERE cell = ${quote(cell)} AND epoch = ${quote(epoch)} AND seq > ${keepThrough}`;
    await this.#engine.transaction('lake.forget', async () => {
      for (const { name } of [...TABLES, ...STEP_TABLES, TOPIC_SEGMENTS])
        await this.#engine.writer.run(`DELETE FROM ${LAKE}.${name} ${where}`);
      await this.#topics.forgetUnmarked();
    });
    this.#ends.get(cell)?.delete(epoch);
    if (keepThrough > 0) await this.load();
    this.#steps.restart();
  }

  /** All of the batch that is new, or nothing. */
  async project(cell: CellName, events: readonly AgentEvent[], cutThrough = 0): Promise<void> {
    const first = events[0];
    if (!first) return;
    const epoch = first.seq === 1 ? first.event_id : this.#current.get(cell);
    if (epoch === undefined) throw gap(cell, 0, first.seq);
    const have = this.#seqOf(cell, epoch);
    const fresh = events.filter((event) => event.seq > have);
    const next = fresh[0];
    if (next) {
      const isCut = next.seq > have + 1 && next.seq <= cutThrough + 1;
      if (next.seq !== have + 1 && !isCut) throw gap(cell, have, next.seq);
      await this.#write(cell, epoch, fresh);
      const { seq, hash } = fresh.at(-1)!;
      this.#remember(cell, epoch, { seq, hash });
    }
    this.#current.set(cell, epoch);
  }

  async #write(cell: CellName, epoch: string, events: readonly AgentEvent[]): Promise<void> {
    const { writer, info } = this.#engine;
    const newEpoch = !this.#ends.get(cell)?.has(epoch);
    const last = events.at(-1)!.seq;
    await this.#engine.transaction('lake.project', async () => {
      if (newEpoch) {
        const position = [cell, epoch, 0];
        await this.#append({ table: EPOCHS, rows: [[...position, this.#ordinal + 1]] });
      }
      for (const table of TABLES) {
        const told = events.flatMap((e) => table.rows(e).map((values) => [cell, epoch, e.seq, ...values]));
        const rows = await withoutRepeats(writer, table, told);
        if (rows.length > 0) await this.#append({ table, rows });
      }
      await this.#steps.forgetEvicted(events);
      await this.#topics.forgetEvicted(events);
      if (info.kind === 'ducklake') {
        const batch = JSON.stringify({ batch: `${cell}:${epoch}:${events[0]!.seq}`, last_seq: last });
        await writer.run(
          `CALL ducklake_set_commit_message('${LAKE}', 'auraison', ${quote(`${cell} to ${last}`)}, ` +
            `extra_info => ${quote(batch)})`,
        );
      }
    });
    if (newEpoch) this.#ordinal += 1;
  }

  async #append({ table, rows }: Rows): Promise<void> {
    const appender = await this.#engine.writer.createAppender(table.name, 'main', LAKE);
    const columns = [...POSITION, ...table.columns];
    let chars = 0;
    let count = 0;
    try {
      for (const row of rows) {
        for (const [i, column] of columns.entries()) appendValue(appender, column, row[i]);
        appender.endRow();
        for (const value of row) if (typeof value === 'string') chars += value.length;
        count += 1;
        // Few rows would stay in the catalogue, and with it in memory.
        if (chars < APPENDED_CHARS || count <= INLINE_ROWS) continue;
        appender.flushSync();
        chars = 0;
        count = 0;
      }
      appender.flushSync();
    } catch (thrown) {
      try {
        appender.closeSync();
      } catch {
        // Closing complains that the transaction is aborted; what aborted it is what matters.
      }
      throw thrown;
    }
    appender.closeSync();
  }

  async #rows(sql: string): Promise<unknown[][]> {
    return (await this.#engine.writer.runAndReadAll(sql)).getRows();
  }

  #seqOf(cell: CellName, epoch: string): number {
    return this.#ends.get(cell)?.get(epoch)?.seq ?? 0;
  }

  #remember(cell: CellName, epoch: string, end: End): void {
    const ends = this.#ends.get(cell) ?? new Map<string, End>();
    ends.set(epoch, end);
    this.#ends.set(cell, ends);
  }
}

function appendValue(appender: DuckDBAppender, column: Column, value: Value): void {
  if (value === undefined) appender.appendNull();
  else if (column.type === 'BIGINT') appender.appendBigInt(BigInt(value));
  else if (column.type === 'DOUBLE') appender.appendDouble(Number(value));
  else if (column.type === 'BOOLEAN') appender.appendBoolean(value === true);
  else if (column.type === 'TIMESTAMP_NS')
    appender.appendTimestampNanoseconds(new DuckDBTimestampNanosecondsValue(BigInt(value)));
  else appender.appendVarchar(String(value).toWellFormed());
}

function gap(cell: CellName, have: number, next: number): EdgeError {
  return new EdgeError('lake.failed', {
    operation: 'lake.project',
    subject: cell,
    message: `the lakehouse has the log of ${cell} up to event ${have}; it cannot continue at event ${next}`,
    hint: 'read the log from the cursor',
    retryable: false,
  });
}
