import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type LakeInfo, LIMITS } from '../../contract/core.ts';
import { findExtension, REMOTE_EXTENSIONS } from './extension-files.ts';
import { lakeFailed, lakeUnavailable } from './faults.ts';
import {
  attachStatement,
  claimStatements,
  OWNER,
  ownerQuery,
  ownerStatement,
  placeText,
  type RemotePlace,
  secretStatements,
  settingStatements,
} from './remote-place.ts';
import { createStatements, LAKE, quote, upgradeStatements } from './schema-sql.ts';

/** Statements that are answered at the same time; they share the memory limit. Two are left for answers at once. */
const READERS = LIMITS.LAKE_QUERIES_MAX;
/**
 * The engine computes this much of a streaming result ahead. It counts a text by its place in the chunk only, so with
 * its default of 1 MB it holds 30 chunks, whatever they weigh; less than one chunk means one at a time.
 */
const AHEAD = '1KB';
/** Batches up to this many rows stand in the catalogue; larger ones become Parquet (34 ms against 13 ms). */
export const INLINE_ROWS = 100;

export async function loadExtension(
  connection: DuckDBConnection,
  directories: readonly string[],
): Promise<{ kind: LakeInfo['kind']; why: string }> {
  const platform = String((await connection.runAndReadAll('PRAGMA platform')).getRows()[0]?.[0]);
  const path = findExtension(directories, platform);
  if (path === undefined) {
    const why =
      'the DuckLake extension is not installed: the lakehouse uses plain DuckDB with the same tables (see `auraison doctor`)';
    return { kind: 'duckdb', why };
  }
  try {
    await connection.run(`LOAD ${quote(path)}`);
    return { kind: 'ducklake', why: `DuckLake extension ${path}` };
  } catch (thrown) {
    const reason = lakeFailed(thrown, 'lake.open', path).message.split('\n')[0] ?? '';
    return {
      kind: 'duckdb',
      why: `the DuckLake extension ${path} cannot be loaded (${reason}): the lakehouse uses plain DuckDB`,
    };
  }
}

/** The lake in the data directory. */
export async function attachEmbedded(
  connection: DuckDBConnection,
  kind: LakeInfo['kind'],
  paths: { readonly catalog: string; readonly files: string; readonly plain: string },
): Promise<void> {
  // The data path is given again each time, so that a data directory can be moved or mounted elsewhere.
  const target =
    kind === 'ducklake'
      ? `${quote(`ducklake:${paths.catalog}`)} AS ${LAKE} (DATA_PATH ${quote(`${paths.files}/`)}, ` +
        `OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT ${INLINE_ROWS})`
      : `${quote(paths.plain)} AS ${LAKE}`;
  await connection.run(`ATTACH ${target}`);
}

export async function createTables(connection: DuckDBConnection): Promise<void> {
  const there = await connection.runAndReadAll(
    `SELECT table_name FROM duckdb_tables() WHERE database_name = '${LAKE}' AND table_name = 'events'`,
  );
  const statements = there.currentRowCount > 0 ? await upgrades(connection) : createStatements();
  if (statements.length === 0) return;
  await connection.run('BEGIN');
  for (const statement of statements) await connection.run(statement);
  await connection.run('COMMIT');
}

async function upgrades(connection: DuckDBConnection): Promise<string[]> {
  const there = await connection.runAndReadAll(
    `SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE database_name = '${LAKE}'`,
  );
  return upgradeStatements(new Set(there.getRows().map(([name]) => String(name))));
}

export async function makeReaders(instance: DuckDBInstance): Promise<DuckDBConnection[]> {
  const readers: DuckDBConnection[] = [];
  for (let i = 0; i < READERS; i++) {
    const reader = await instance.connect();
    readers.push(reader);
    await reader.run(`SET streaming_buffer_size = '${AHEAD}'`);
  }
  return readers;
}

/** No way out: no file outside of these directories can be read or written, no setting changed. */
export async function lockDown(connection: DuckDBConnection, directories: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_directories = [${directories.map(quote).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

/** Rejects with `lake.unavailable` where one of them is not installed. */
export async function loadRemoteExtensions(
  connection: DuckDBConnection,
  directories: readonly string[],
  place: RemotePlace,
): Promise<void> {
  const platform = String((await connection.runAndReadAll('PRAGMA platform')).getRows()[0]?.[0]);
  for (const name of REMOTE_EXTENSIONS) {
    const path = findExtension(directories, platform, name);
    if (path === undefined)
      throw lakeUnavailable(
        placeText(place).path,
        `the extension ${name} of DuckDB is not installed: a lakehouse on servers needs it`,
        'run `auraison lake install`',
      );
    await connection.run(`LOAD ${quote(path)}`);
  }
}

/**
 * The lake on servers. It belongs to the data directory that opened it first: rows of two robots in it would be lost with
 * the first rebuild or retention of one of them.
 */
export async function attachRemote(
  connection: DuckDBConnection,
  directories: readonly string[],
  place: RemotePlace,
  owner: string,
): Promise<void> {
  await loadRemoteExtensions(connection, directories, place);
  for (const statement of [...settingStatements(place), ...secretStatements(place), ownerStatement(place)])
    await connection.run(statement);
  // Looked at first: creating what is there takes a lock, and a right that the user may not have.
  const known = await connection.runAndReadAll(ownerQuery(place)).catch(() => undefined);
  if (known === undefined || known.currentRowCount === 0)
    for (const statement of claimStatements(place, owner)) await connection.run(statement);
  const [row] = (await connection.runAndReadAll(ownerQuery(place))).getRows();
  const { path, catalog } = placeText(place);
  if (row?.[0] !== owner)
    throw lakeUnavailable(
      path,
      `the lakehouse ${catalog} belongs to another data directory (${String(row?.[0])})`,
      `give each robot its own lake.catalog_schema and lake.storage; where this one replaces the other, DELETE FROM "${place.catalog.schema}".auraison_owner`,
    );
  await connection.run(attachStatement(place));
}

/** Schema of the tables in which DuckLake keeps the catalogue. */
export function catalogSchema(place?: RemotePlace): string {
  return `__ducklake_metadata_${LAKE}.${place ? `"${place.catalog.schema}"` : 'main'}`;
}

/** Lets go of what is attached. Errors of detaching (a full disk, a server that is away) do no harm. */
export async function detach(connection: DuckDBConnection): Promise<void> {
  for (const statement of ['ROLLBACK', 'USE memory', `DETACH ${LAKE}`, `DETACH ${OWNER}`])
    await connection.run(statement).catch(() => {});
}
