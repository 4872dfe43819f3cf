import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { LakeInfo } from '../../contract/index.ts';
import { DataFiles, fsyncPath } from './data-files.ts';
import { findExtension } from './extension-files.ts';
import { isPassing, lakeFailed, lakeUnavailable } from './faults.ts';
import { createStatements, LAKE, quote, upgradeStatements } from './schema-sql.ts';
import { takeOver } from './take-over.ts';

/** Memory and threads of the engine: a robot has other work to do. Larger sorts spill to the disk. */
const MEMORY_LIMIT = '256MB';
const THREADS = '2';
const SPILL_LIMIT = '1GB';
/** Batches up to this many rows stand in the catalogue; larger ones become Parquet (34 ms against 13 ms). */
const INLINE_ROWS = 100;

export type EngineOptions = {
  /** The lake lies in `<dataDir>/lake`. */
  readonly dataDir: string;
  /** Where to look for the DuckLake extension; empty means plain DuckDB. */
  readonly extensionDirectories: readonly string[];
};

/** The files of a lake. */
export function lakePaths(dataDir: string) {
  const root = join(dataDir, 'lake');
  return {
    root,
    catalog: join(root, 'catalog.ducklake'),
    files: join(root, 'files'),
    plain: join(root, 'plain.duckdb'),
    spill: join(root, 'spill'),
  };
}

/**
 * An open engine with the lake attached as `lake`, its tables made, and no way out: no file outside the lake
 * can be read or written, no setting changed.
 */
export class LakeEngine {
  readonly instance: DuckDBInstance;
  /** The one connection that writes. */
  readonly writer: DuckDBConnection;
  readonly info: LakeInfo;
  readonly files: DataFiles;

  /** For `open`: the parts of an engine that is ready. */
  constructor(instance: DuckDBInstance, writer: DuckDBConnection, info: LakeInfo, files: DataFiles) {
    this.instance = instance;
    this.writer = writer;
    this.info = info;
    this.files = files;
  }

  /**
   * Rejects with `lake.unavailable` when another process has the lake or the disk refuses. A catalogue that
   * cannot be read is moved aside with its files and a new lake begun: it can be rebuilt from the logs.
   */
  static async open(options: EngineOptions): Promise<LakeEngine> {
    const { root } = lakePaths(options.dataDir);
    try {
      return await tryOpen(options, '');
    } catch (thrown) {
      if (isPassing(thrown)) throw unavailable(thrown, root);
      const aside = setAside(root);
      try {
        const reason = lakeFailed(thrown, 'lake.open', root).message.split('\n')[0];
        return await tryOpen(options, `the old lake could not be read (${reason}) and lies in ${aside}; `);
      } catch (again) {
        throw unavailable(again, root);
      }
    }
  }

  /** BEGIN, work, files to the disk, COMMIT: what is committed can be read after a power cut. */
  async transaction(operation: string, work: () => Promise<unknown>): Promise<void> {
    const { writer, files, info } = this;
    try {
      await writer.run('BEGIN');
      await work();
      await files.syncNew();
      await writer.run('COMMIT');
    } catch (thrown) {
      await writer.run('ROLLBACK').catch(() => {});
      throw lakeFailed(thrown, operation, info.path);
    }
  }

  /**
   * Lets go of the files. Detaching first matters: after a commit that failed, DuckLake keeps its catalogue
   * open for the rest of the process otherwise. What detaching complains about (a full disk) is no loss.
   */
  async close(): Promise<void> {
    await this.writer.run('ROLLBACK').catch(() => {});
    await this.writer.run('USE memory').catch(() => {});
    await this.writer.run(`DETACH ${LAKE}`).catch(() => {});
    this.writer.closeSync();
    this.instance.closeSync();
  }
}

async function tryOpen(options: EngineOptions, prelude: string): Promise<LakeEngine> {
  const paths = lakePaths(options.dataDir);
  mkdirSync(paths.root, { recursive: true });
  await fsyncPath(dirname(paths.root));
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    threads: THREADS,
    temp_directory: paths.spill,
    max_temp_directory_size: SPILL_LIMIT,
    preserve_insertion_order: 'false',
    // Memory goes back to the system when a batch or a query is over, instead of when 128 MB are free.
    allocator_background_threads: 'true',
    allocator_flush_threshold: '4MB',
    allocator_bulk_deallocation_flush_threshold: '4MB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  try {
    const writer = await instance.connect();
    const { kind, why } = await loadExtension(writer, options.extensionDirectories);
    await attach(writer, kind, paths);
    const files = new DataFiles(paths.files);
    await createTables(writer);
    if (kind === 'ducklake' && existsSync(paths.plain)) await takeOver(writer, paths.plain, files);
    await files.syncNew();
    await fsyncPath(paths.root);
    await lockDown(writer, paths.root);
    const path = kind === 'ducklake' ? paths.catalog : paths.plain;
    return new LakeEngine(instance, writer, { kind, why: prelude + why, path }, files);
  } catch (thrown) {
    instance.closeSync();
    throw thrown;
  }
}

async function loadExtension(
  connection: DuckDBConnection,
  directories: readonly string[],
): Promise<{ kind: LakeInfo['kind']; why: string }> {
  const platform = String((await connection.runAndReadAll('PRAGMA platform')).getRows()[0]?.[0]);
  const path = findExtension(directories, platform);
  if (path === undefined) {
    const why =
      'the DuckLake extension is not installed: same tables in plain DuckDB (see `auraison doctor`)';
    return { kind: 'duckdb', why };
  }
  try {
    await connection.run(`LOAD ${quote(path)}`);
    return { kind: 'ducklake', why: `DuckLake extension ${path}` };
  } catch (thrown) {
    const reason = lakeFailed(thrown, 'lake.open', path).message.split('\n')[0];
    return { kind: 'duckdb', why: `the DuckLake extension ${path} does not load (${reason}): plain DuckDB` };
  }
}

async function attach(
  connection: DuckDBConnection,
  kind: LakeInfo['kind'],
  paths: ReturnType<typeof lakePaths>,
): Promise<void> {
  // The data path is told anew each time, so that a data directory can be moved or mounted elsewhere.
  const target =
    kind === 'ducklake'
      ? `${quote(`ducklake:${paths.catalog}`)} AS ${LAKE} (DATA_PATH ${quote(`${paths.files}/`)}, ` +
        `OVERRIDE_DATA_PATH true, DATA_INLINING_ROW_LIMIT ${INLINE_ROWS})`
      : `${quote(paths.plain)} AS ${LAKE}`;
  await connection.run(`ATTACH ${target}`);
}

async function createTables(connection: DuckDBConnection): Promise<void> {
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

async function lockDown(connection: DuckDBConnection, root: string): Promise<void> {
  await connection.run(`SET allowed_directories = [${quote(`${root}/`)}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

function unavailable(thrown: unknown, root: string) {
  const { message } = lakeFailed(thrown, 'lake.open', root);
  const held = /set lock on file/i.test(message);
  const hint = held ? 'another process has the lake open; stop it' : 'look at the disk and its permissions';
  return lakeUnavailable(root, message, hint, thrown);
}

function setAside(root: string): string {
  let n = 1;
  while (existsSync(`${root}.aside-${n}`)) n += 1;
  renameSync(root, `${root}.aside-${n}`);
  return `${root}.aside-${n}`;
}

/** Removes the files of a lake that is closed. */
export function removeLake(dataDir: string): void {
  rmSync(lakePaths(dataDir).root, { recursive: true, force: true });
}
