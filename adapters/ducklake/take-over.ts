import { rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { type DataFiles, fsyncPath } from './data-files.ts';
import { LAKE, quote } from './schema-sql.ts';
import { EPOCHS, POSITION, TABLES, type Table } from './tables.ts';

const OLD = 'plain';
/** Of the plain file in one transaction, about; and events of it at most. */
const SLICE_BYTES = 32e6;
const SLICE_EVENTS = 8_192;

/**
 * Moves the rows of a plain DuckDB lake into the DuckLake and removes the plain file afterwards. Log by log, in
 * slices, each in one transaction with all that its events gave: so it needs the same memory whatever the size.
 * Only rows behind what the DuckLake already has of each log are taken, so that a crash on the way, or a DuckLake
 * that was used before, doubles nothing.
 */
export async function takeOver(connection: DuckDBConnection, path: string, files: DataFiles): Promise<void> {
  await connection.run(`ATTACH ${quote(path)} AS ${OLD}`);
  try {
    const copies = await copyStatements(connection);
    const size = await sliceOf(connection, bytesOf(path) + bytesOf(`${path}.wal`));
    const logs = await rows(connection, `SELECT cell, epoch FROM ${OLD}.${EPOCHS.name} ORDER BY ordinal`);
    for (const [cell, epoch] of logs as [string, string][]) {
      const log = `cell = ${quote(cell)} AND epoch = ${quote(epoch)}`;
      const reached = (lake: string) =>
        rows(connection, `SELECT coalesce(max(seq), 0) FROM ${lake}.events WHERE ${log}`);
      const last = Number((await reached(OLD))[0]?.[0]);
      for (let at = Number((await reached(LAKE))[0]?.[0]); at < last; at += size) {
        const slice = `WHERE ${log} AND seq > ${at} AND seq <= ${at + size}`;
        await inTransaction(connection, files, [
          epochStatement(cell, epoch),
          ...copies.map((copy) => `${copy} ${slice}`),
        ]);
      }
    }
  } finally {
    await connection.run(`DETACH ${OLD}`);
  }
  rmSync(path);
  rmSync(`${path}.wal`, { force: true });
  await fsyncPath(dirname(path));
}

/** Events of one slice: fewer where they are large. */
async function sliceOf(connection: DuckDBConnection, bytes: number): Promise<number> {
  const [row] = await rows(connection, `SELECT count(*) FROM ${OLD}.events`);
  return Math.ceil(Math.min(SLICE_EVENTS, (SLICE_BYTES * Number(row?.[0])) / bytes));
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** Column by column: an older version had fewer, or had them in another order. */
async function copyStatements(connection: DuckDBConnection): Promise<string[]> {
  const found = await rows(
    connection,
    `SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE database_name = '${OLD}'`,
  );
  const there = new Set(found.map(([name]) => String(name)));
  const copy = ({ name, columns }: Table) => {
    const all = [...POSITION, ...columns];
    const values = all.map((c) => (there.has(`${name}.${c.name}`) ? c.name : (c.before ?? 'NULL')));
    return `INSERT INTO ${LAKE}.${name} (${all.map((c) => c.name).join(', ')}) SELECT ${values.join(', ')} FROM ${OLD}.${name}`;
  };
  return TABLES.filter(({ name }) => there.has(`${name}.${POSITION[0]!.name}`)).map(copy);
}

/** Notes a log that the DuckLake has not seen, as its latest. */
function epochStatement(cell: string, epoch: string): string {
  const epochs = `${LAKE}.${EPOCHS.name}`;
  return (
    `INSERT INTO ${epochs} (cell, epoch, seq, ordinal) SELECT ${quote(cell)}, ${quote(epoch)}, 0, ` +
    `(SELECT coalesce(max(ordinal), 0) + 1 FROM ${epochs}) WHERE NOT EXISTS ` +
    `(SELECT 1 FROM ${epochs} WHERE cell = ${quote(cell)} AND epoch = ${quote(epoch)})`
  );
}

async function inTransaction(
  connection: DuckDBConnection,
  files: DataFiles,
  statements: readonly string[],
): Promise<void> {
  await connection.run('BEGIN');
  try {
    for (const statement of statements) await connection.run(statement);
    await files.syncNew();
    await connection.run('COMMIT');
  } catch (thrown) {
    await connection.run('ROLLBACK').catch(() => {});
    throw thrown;
  }
}

async function rows(connection: DuckDBConnection, sql: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql)).getRows();
}
