import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { EdgeError, type MovedTable } from '../../contract/core.ts';
import type { LakeEngine } from './lake-engine.ts';
import { LAKE, quote } from './schema-sql.ts';

/** Events of one slice of a table. */
const SLICE_EVENTS = 4_096;
/** Rows that one transaction copies, unless one slice alone has more. */
const COPIED_ROWS = 50_000;
/** Each thread holds one row group of what it writes; this is one vector, the least. */
const GROUP_ROWS = 2_048;

type Column = { readonly name: string; readonly type: string; readonly text: string };
type Table = { readonly name: string; readonly text: string; readonly columns: readonly Column[] };
/** Rows and digest of each slice of a table. */
type Slices = Map<string, { readonly rows: number; readonly digest: string }>;

/**
 * Makes the tables of one lake equal to those of another, slice by slice. A slice is a range of events of one log, or what
 * one segment gave. Slices whose rows have the same digest on both sides are skipped, so a copy that was interrupted
 * continues. Of the target each slice is read once, and again after it was written: its digests are of what it really
 * holds. It has no other writer meanwhile.
 */
export class LakeTableCopy {
  readonly #target: LakeEngine;
  /** Reads the source beside its writer: each statement sees one commit. */
  readonly #reader: DuckDBConnection;
  readonly #exchange: string;
  readonly #there = new Map<string, Slices>();
  #equal = 0;
  #of = 0;
  #copied = 0;

  private constructor(target: LakeEngine, reader: DuckDBConnection, exchange: string) {
    this.#target = target;
    this.#reader = reader;
    this.#exchange = exchange;
  }

  /** `folder`: rows on their way, as Parquet; both engines may write there. */
  static async open(source: LakeEngine, target: LakeEngine, folder: string): Promise<LakeTableCopy> {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const reader = await source.instance.connect();
    return new LakeTableCopy(target, reader, join(folder, 'rows.parquet'));
  }

  progress(): { readonly slices: number; readonly of: number; readonly copied: number } {
    return { slices: this.#equal, of: this.#of, copied: this.#copied };
  }

  /** Copies each slice that differs; resolves to their number. Stops early when `isOver`. */
  async pass(isOver: () => boolean): Promise<number> {
    const tables = await tablesOf(this.#reader);
    await this.#dropOthers(tables);
    let differed = 0;
    let [equal, of] = [0, 0];
    for (const table of tables) {
      await this.#make(table);
      const here = await slicesOf(this.#reader, table);
      const there = await this.#thereOf(table);
      const keys = [...new Set([...here.keys(), ...there.keys()])];
      const other = keys.filter((key) => here.get(key)?.digest !== there.get(key)?.digest);
      differed += other.length;
      of += keys.length;
      equal += keys.length - other.length;
      [this.#equal, this.#of] = [equal, Math.max(this.#of, of)];
      for (const batch of batches(other, (key) => here.get(key)?.rows ?? 0)) {
        if (isOver()) return differed;
        await this.#copy(table, batch);
        equal += batch.length;
        this.#equal = equal;
      }
    }
    this.#of = of;
    return differed;
  }

  /** Rows and digest of every table on both sides; throws `lake.failed` where one differs. */
  async proof(): Promise<MovedTable[]> {
    const proof: MovedTable[] = [];
    for (const table of await tablesOf(this.#reader)) {
      const here = total(table.name, await slicesOf(this.#reader, table));
      const there = total(table.name, await this.#thereOf(table));
      if (here.digest !== there.digest)
        throw new EdgeError('lake.failed', {
          operation: 'lake.move',
          subject: table.name,
          message: `${table.name} differs after the copy: ${here.rows} rows here, ${there.rows} there`,
          hint: 'it is copied again; the lakehouse stays where it is until all tables are equal',
        });
      proof.push(here);
    }
    return proof;
  }

  close(): void {
    this.#reader.closeSync();
    rmSync(this.#exchange, { force: true });
  }

  async #thereOf(table: Table): Promise<Slices> {
    const known = this.#there.get(table.name);
    if (known) return known;
    const found = await slicesOf(this.#target.writer, table);
    this.#there.set(table.name, found);
    return found;
  }

  /** Tables of topics that the source no longer has. */
  async #dropOthers(tables: readonly Table[]): Promise<void> {
    const names = new Set(tables.map(({ name }) => name));
    for (const { name } of await tablesOf(this.#target.writer))
      if (!names.has(name)) await this.#target.writer.run(`DROP TABLE ${tableOf(name)}`);
  }

  async #make({ name, text, columns }: Table): Promise<void> {
    const { writer } = this.#target;
    const there = (await tablesOf(writer)).find((table) => table.name === name);
    const missing = columns.filter((column) => !there?.columns.some((other) => other.name === column.name));
    if (missing.length === 0) return;
    await this.#target.transaction('lake.move', async () => {
      if (!there) {
        const declared = columns.map((column) => `"${column.name}" ${column.type}`).join(', ');
        await writer.run(`CREATE TABLE ${tableOf(name)} (${declared})`);
        await writer.run(`COMMENT ON TABLE ${tableOf(name)} IS ${quote(text)}`);
      }
      for (const column of missing) {
        if (there)
          await writer.run(`ALTER TABLE ${tableOf(name)} ADD COLUMN "${column.name}" ${column.type}`);
        await writer.run(`COMMENT ON COLUMN ${tableOf(name)}."${column.name}" IS ${quote(column.text)}`);
      }
    });
    // The digests are over all columns.
    if (there) this.#there.delete(name);
  }

  async #copy(table: Table, keys: readonly string[]): Promise<void> {
    const { writer } = this.#target;
    const these = `${keyOf(table)} IN (${keys.map(quote).join(', ')})`;
    const names = table.columns.map(({ name }) => `"${name}"`).join(', ');
    const file = quote(this.#exchange);
    await this.#reader.run(
      `COPY (SELECT ${names} FROM ${tableOf(table.name)} WHERE ${these}) TO ${file} ` +
        `(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${GROUP_ROWS})`,
    );
    const there = await this.#thereOf(table);
    let copied = 0;
    await this.#target.transaction('lake.move', async () => {
      if (keys.some((key) => there.has(key)))
        await writer.run(`DELETE FROM ${tableOf(table.name)} WHERE ${these}`);
      const told = await writer.run(
        `INSERT INTO ${tableOf(table.name)} (${names}) SELECT ${names} FROM read_parquet(${file})`,
      );
      copied = Number(told.rowsChanged);
    });
    this.#copied += copied;
    for (const key of keys) there.delete(key);
    for (const [key, slice] of await slicesOf(writer, table, these)) there.set(key, slice);
  }
}

async function tablesOf(connection: DuckDBConnection): Promise<Table[]> {
  const found = await rows(
    connection,
    `SELECT t.table_name, t.comment, c.column_name, c.data_type, c.comment
     FROM duckdb_tables() t JOIN duckdb_columns() c USING (database_name, table_name)
     WHERE database_name = '${LAKE}' AND NOT t.internal ORDER BY t.table_name, c.column_index`,
  );
  const tables = new Map<string, { name: string; text: string; columns: Column[] }>();
  for (const [table, text, name, type, note] of found) {
    const known = tables.get(String(table)) ?? { name: String(table), text: String(text ?? ''), columns: [] };
    known.columns.push({ name: String(name), type: String(type), text: String(note ?? '') });
    tables.set(known.name, known);
  }
  return [...tables.values()];
}

/** What names the slice of a row: its segment, or its log and the range of events. */
function keyOf({ columns }: Table): string {
  const has = (name: string) => columns.some((column) => column.name === name);
  return has('segment') ? "coalesce(segment, '')" : `cell || ' ' || epoch || ' ' || (seq // ${SLICE_EVENTS})`;
}

async function slicesOf(connection: DuckDBConnection, table: Table, where = 'true'): Promise<Slices> {
  const fields = table.columns.map(({ name }) => `'${name}': "${name}"`).sort();
  const found = await rows(
    connection,
    `SELECT key, count(*), sum(md5_number_lower(row)::HUGEINT), sum(md5_number_upper(row)::HUGEINT)
     FROM (SELECT ${keyOf(table)} AS key, to_json({${fields.join(', ')}})::VARCHAR AS row
       FROM ${tableOf(table.name)} WHERE ${where}) GROUP BY key`,
  );
  return new Map(
    found.map(([key, count, lower, upper]) => [
      String(key),
      { rows: Number(count), digest: `${count} ${lower} ${upper}` },
    ]),
  );
}

/** Of a whole table: the sums of its slices. */
function total(name: string, slices: Slices): MovedTable {
  let [count, lower, upper] = [0n, 0n, 0n];
  for (const { digest } of slices.values()) {
    const [c = 0n, l = 0n, u = 0n] = digest.split(' ').map(BigInt);
    [count, lower, upper] = [count + c, lower + l, upper + u];
  }
  return { name, rows: Number(count), digest: `${lower.toString(16)}-${upper.toString(16)}` };
}

function* batches(keys: readonly string[], rowsOf: (key: string) => number): Generator<string[]> {
  let batch: string[] = [];
  let rows = 0;
  for (const key of keys) {
    if (batch.length > 0 && rows + rowsOf(key) > COPIED_ROWS) {
      yield batch;
      [batch, rows] = [[], 0];
    }
    batch.push(key);
    rows += rowsOf(key);
  }
  if (batch.length > 0) yield batch;
}

async function rows(connection: DuckDBConnection, sql: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql)).getRows();
}

function tableOf(name: string): string {
  return `${LAKE}."${name}"`;
}
