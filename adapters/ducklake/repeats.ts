import type { DuckDBConnection } from '@duckdb/node-api';
import { LAKE, quote } from './schema-sql.ts';
import { POSITION, type Table, type Value } from './tables.ts';

type Row = readonly Value[];

/** What only a file of a recording is called; a ledger line may also name a bag, and then tells something new. */
const SEGMENT = '.mcap';

/**
 * Leaves out what the log tells a second time: see `Table.once`. `rows` begin with their position and are all of one
 * log, in its order, behind everything that the lake has of it. So the outcome does not depend on the batches.
 */
export async function withoutRepeats(
  connection: DuckDBConnection,
  table: Table,
  rows: readonly Row[],
): Promise<readonly Row[]> {
  const { once } = table;
  if (!once) return rows;
  const names = [...POSITION, ...table.columns].map(({ name }) => name);
  const of = names.indexOf(once.of);
  const key = once.key.map((name) => names.indexOf(name));
  const same = names.flatMap((name, i) => (i >= POSITION.length && name !== 'ts' ? [i] : []));
  const isAbout = (row: Row) => String(row[of] ?? '').endsWith(SEGMENT);
  const segments = [...new Set(rows.filter(isAbout).map((row) => String(row[of])))];
  if (segments.length === 0) return rows;

  const [cell, epoch] = rows[0]!;
  const told = (
    await connection.runAndReadAll(
      `SELECT DISTINCT ON (${once.key.join(', ')}) ${names.map((name) => asText(table, name)).join(', ')} ` +
        `FROM ${LAKE}.${table.name} WHERE cell = ${quote(String(cell))} AND epoch = ${quote(String(epoch))} ` +
        `AND ${once.of} IN (${segments.map(quote).join(', ')}) ORDER BY ${once.key.join(', ')}, seq DESC`,
    )
  ).getRows() as readonly Row[];
  const textOf = (row: Row, columns: readonly number[]) =>
    JSON.stringify(columns.map((i) => (row[i] === undefined || row[i] === null ? null : String(row[i]))));
  const newest = new Map(told.map((row) => [textOf(row, key), textOf(row, same)]));
  return rows.filter((row) => {
    if (!isAbout(row)) return true;
    const text = textOf(row, same);
    if (newest.get(textOf(row, key)) === text) return false;
    newest.set(textOf(row, key), text);
    return true;
  });
}

/** Times as the nanoseconds that they are given as. */
function asText(table: Table, name: string): string {
  const isTime = table.columns.some((column) => column.name === name && column.type === 'TIMESTAMP_NS');
  return isTime ? `epoch_ns(${name}) AS ${name}` : name;
}
