import type { DuckDBConnection } from '@duckdb/node-api';
import { LAKE } from './schema-sql.ts';

/**
 * Joined files get about this size. It bounds what one join reads and writes and, with the rows of a row group,
 * what it holds in memory, whatever the lake holds: DuckLake's own 512 MB and 122,880 rows are more than our
 * engine has.
 */
export const FILE_MB = 8;
/** Each thread holds one row group of what it writes; this is one vector, the least. */
const GROUP_ROWS = 2_048;

/** As they are set, and as they are read back. */
const OPTIONS = [
  { name: 'target_file_size', set: `${FILE_MB}MB`, kept: String(FILE_MB * 1e6) },
  { name: 'parquet_row_group_size', set: String(GROUP_ROWS), kept: String(GROUP_ROWS) },
] as const;

/** Sets how DuckLake writes files, also in a catalogue that was made without it. It is kept there. */
export async function setFileOptions(connection: DuckDBConnection): Promise<void> {
  const found = await connection.runAndReadAll(
    `SELECT option_name, value FROM ducklake_options('${LAKE}') WHERE scope = 'GLOBAL'`,
  );
  const there = new Map(found.getRows().map(([name, value]) => [String(name), String(value)]));
  for (const { name, set, kept } of OPTIONS) {
    if (there.get(name) === kept) continue;
    await connection.run(`CALL ducklake_set_option('${LAKE}', '${name}', '${set}')`);
  }
}
