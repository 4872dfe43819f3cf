import type { DuckDBConnection } from '@duckdb/node-api';
import { LAKE, quote } from './schema-sql.ts';
import { POSITION, type Table, type Value } from './tables.ts';

type Row = readonly Value[];

/** What only a file of a recording is called; a ledger line may also name a bag, and then adds something new. */
const SEGMENT = '.mcap';

/**
 * Leaves out what the log holds a second time: see `Table.once`. `rows` start with their position and are all of one
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
  const gone = once.gone === undefined ? -1 : names.indexOf(once.gone);
  const isAbout = (row: Row) => String(row[of] ?? '').endsWith(SEGMENT);
  const segments = [...new Set(rows.filter(isAbout).map((row) => String(row[of])))];
  if (segments.length === 0) return rows;

  const [cell, epoch] = rows[0]!;
  const told = (
    await connection.runAndReadAll(
      `SELECT ${names.map((name) => asText(table, name)).join(', ')} ` +
        `FROM ${LAKE}.${table.name} WHERE cell = ${quote(String(cell))} AND epoch = ${quote(String(epoch))} ` +
        `AND ${once.of} IN (${segments.map(quote).join(', ')}) ORDER BY seq`,
    )
  ).getRows() as readonly Row[];
  const textOf = (row: Row, columns: readonly number[]) =>
    JSON.stringify(columns.map((i) => (row[i] === undefined || row[i] === null ? null : String(row[i]))));
  // The rows of each key, since the segment went or came.
  const known = new Map<string, { isGone: boolean; texts: Set<string> }>();
  const isNew = (row: Row) => {
    const [of, text] = [textOf(row, key), textOf(row, same)];
    const isGone = gone >= 0 && Number(row[gone]) < 0;
    const before = known.get(of);
    if (before?.isGone !== isGone) known.set(of, { isGone, texts: new Set([text]) });
    else if (before.texts.has(text)) return false;
    else before.texts.add(text);
    return true;
  };
  for (const row of told) isNew(row);
  return rows.filter((row) => !isAbout(row) || isNew(row));
}

/** Times as the nanoseconds that they are given as. */
function asText(table: Table, name: string): string {
  const isTime = table.columns.some((column) => column.name === name && column.type === 'TIMESTAMP_NS');
  return isTime ? `epoch_ns(${name}) AS ${name}` : name;
}
