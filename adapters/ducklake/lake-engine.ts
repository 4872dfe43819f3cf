import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type CellContext, type LakeInfo, LIMITS } from '../../contract/core.ts';
import { DataFiles, fsyncPath } from './data-files.ts';
import { findExtension } from './extension-files.ts';
import { isPassing, lakeFailed, lakeUnavailable } from './faults.ts';
import { setFileOptions } from './file-options.ts';
import { createStatements, LAKE, quote, upgradeStatements } from './schema-sql.ts';
import { dropOldest, putBack, setAside } from './set-aside.ts';
import { takeOver } from './take-over.ts';

/** Memory and threads of the engine: a robot has other work to do. Larger sorts spill to the disk. */
const MEMORY_LIMIT = '256MB';
const THREADS = '2';
const SPILL_LIMIT = '1GB';
/** Statements that are answered at the same time; they share the memory limit. Two are left for answers at once. */
const READERS = LIMITS.LAKE_QUERIES_MAX;
/**
 * The engine computes this much of a streaming result ahead. It counts a text by its place in the chunk only, so with
 * its default of 1 MB it holds 30 chunks, whatever they weigh; less than one chunk means one at a time.
 */
const AHEAD = '1KB';
/** Batches up to this many rows stand in the catalogue; larger ones become Parquet (34 ms against 13 ms). */
export const INLINE_ROWS = 100;

export type EngineOptions = {
  /** The lake lies in `<dataDir>/lake`. */
  readonly dataDir: string;
  /** Where to look for the DuckLake extension; empty means plain DuckDB. */
  readonly extensionDirectories: readonly string[];
  /** Reports for operators: a lake put aside, one that is not taken over, failing maintenance. */
  readonly report?: CellContext['report'];
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
  /** Connections for statements of others; made before the settings are locked. */
  readonly readers: readonly DuckDBConnection[];
  readonly info: LakeInfo;
  readonly files: DataFiles;
  readonly report: CellContext['report'];

  /** For `open`: the parts of an engine that is ready. */
  constructor(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    readers: readonly DuckDBConnection[],
    info: LakeInfo,
    files: DataFiles,
    report: CellContext['report'] = () => {},
  ) {
    this.instance = instance;
    this.writer = writer;
    this.readers = readers;
    this.info = info;
    this.files = files;
    this.report = report;
  }

  /**
   * Rejects with `lake.unavailable` when another process has the lake or the disk refuses. A lake that cannot be
   * read, be it the catalogue or what `prepare` reads of it, is moved aside and a new one started: it can be rebuilt
   * from the logs.
   */
  static async open<T>(options: EngineOptions, prepare: (engine: LakeEngine) => Promise<T>): Promise<T> {
    const { root } = lakePaths(options.dataDir);
    try {
      return await openWith(options, '', prepare);
    } catch (thrown) {
      if (isPassing(thrown)) throw unavailable(thrown, root);
      try {
        return await beginAnew(options, firstLine(thrown, root), prepare);
      } catch (again) {
        throw unavailable(again, root);
      }
    }
  }

  /** `BEGIN`, work, files to the disk, `COMMIT`: what is committed can be read after a power cut. */
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

  /** Lets go of the files. */
  close(): Promise<void> {
    for (const reader of this.readers) reader.closeSync();
    return letGo(this.instance, this.writer);
  }
}

/** A plain lake that cannot be moved into the DuckLake. */
class NotTakenOver extends Error {}

/** The lake is put back where a new one in its place fails too: then the fault is not in it. */
async function beginAnew<T>(
  options: EngineOptions,
  reason: string,
  prepare: (engine: LakeEngine) => Promise<T>,
): Promise<T> {
  const { root } = lakePaths(options.dataDir);
  const aside = setAside(root);
  const why =
    `the old lake could not be read (${reason}) and lies in ${aside}; ` +
    'it is filled again from the logs, events that are no longer in the logs are only there; ';
  let result: T;
  try {
    result = await openWith(options, why, prepare);
  } catch (thrown) {
    putBack(root, aside);
    throw thrown;
  }
  options.report?.('warn', why.slice(0, -2), { aside });
  try {
    dropOldest(root);
  } catch (thrown) {
    // The new lake is open and stays so: this only costs room.
    options.report?.(
      'warn',
      `an old lakehouse that was set aside could not be removed: ${firstLine(thrown, root)}`,
    );
  }
  return result;
}

async function openWith<T>(
  options: EngineOptions,
  prelude: string,
  prepare: (engine: LakeEngine) => Promise<T>,
): Promise<T> {
  const engine = await openEngine(options, prelude);
  try {
    return await prepare(engine);
  } catch (thrown) {
    await engine.close();
    throw thrown;
  }
}

/** Where the plain lake cannot be taken over it stays in use; the next start tries again. */
async function openEngine(options: EngineOptions, prelude: string): Promise<LakeEngine> {
  try {
    return await tryOpen(options, prelude);
  } catch (thrown) {
    if (!(thrown instanceof NotTakenOver)) throw thrown;
    const why = `the lakehouse stays in plain DuckDB: the migration to DuckLake failed (${thrown.message})`;
    const engine = await tryOpen(options, prelude, why);
    options.report?.('warn', why);
    return engine;
  }
}

async function tryOpen(options: EngineOptions, prelude: string, plainWhy?: string): Promise<LakeEngine> {
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
  const writer = await instance.connect();
  try {
    const { kind, why } =
      plainWhy === undefined
        ? await loadExtension(writer, options.extensionDirectories)
        : { kind: 'duckdb' as const, why: plainWhy };
    await attach(writer, kind, paths);
    const files = new DataFiles(paths.files);
    await createTables(writer);
    if (kind === 'ducklake') {
      await setFileOptions(writer);
      if (existsSync(paths.plain)) await takePlainOver(writer, paths.plain, files);
    }
    await files.syncNew();
    await fsyncPath(paths.root);
    const readers = await makeReaders(instance);
    await lockDown(writer, paths.root);
    const path = kind === 'ducklake' ? paths.catalog : paths.plain;
    return new LakeEngine(
      instance,
      writer,
      readers,
      { kind, why: prelude + why, path },
      files,
      options.report,
    );
  } catch (thrown) {
    await letGo(instance, writer);
    throw thrown;
  }
}

async function takePlainOver(connection: DuckDBConnection, plain: string, files: DataFiles): Promise<void> {
  try {
    await takeOver(connection, plain, files);
  } catch (thrown) {
    throw new NotTakenOver(firstLine(thrown, plain), { cause: thrown });
  }
}

/**
 * Detaching first matters: after a commit that failed, DuckLake keeps its catalogue open for the rest of the
 * process otherwise. Errors of detaching (a full disk) do no harm.
 */
async function letGo(instance: DuckDBInstance, connection: DuckDBConnection): Promise<void> {
  await connection.run('ROLLBACK').catch(() => {});
  await connection.run('USE memory').catch(() => {});
  await connection.run(`DETACH ${LAKE}`).catch(() => {});
  connection.closeSync();
  instance.closeSync();
}

async function loadExtension(
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
    const reason = firstLine(thrown, path);
    return {
      kind: 'duckdb',
      why: `the DuckLake extension ${path} cannot be loaded (${reason}): the lakehouse uses plain DuckDB`,
    };
  }
}

async function attach(
  connection: DuckDBConnection,
  kind: LakeInfo['kind'],
  paths: ReturnType<typeof lakePaths>,
): Promise<void> {
  // The data path is given again each time, so that a data directory can be moved or mounted elsewhere.
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

async function makeReaders(instance: DuckDBInstance): Promise<DuckDBConnection[]> {
  const readers: DuckDBConnection[] = [];
  for (let i = 0; i < READERS; i++) {
    const reader = await instance.connect();
    readers.push(reader);
    await reader.run(`SET streaming_buffer_size = '${AHEAD}'`);
  }
  return readers;
}

async function lockDown(connection: DuckDBConnection, root: string): Promise<void> {
  await connection.run(`SET allowed_directories = [${quote(`${root}/`)}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

function unavailable(thrown: unknown, root: string) {
  const { message } = lakeFailed(thrown, 'lake.open', root);
  const held = /set lock on file/i.test(message);
  const hint = held
    ? 'another process has the lakehouse open; stop that process'
    : 'check the disk and its permissions';
  return lakeUnavailable(root, message, hint, thrown);
}

function firstLine(thrown: unknown, subject: string): string {
  return lakeFailed(thrown, 'lake.open', subject).message.split('\n')[0] ?? '';
}

/** Removes the files of a lake that is closed. */
export function removeLake(dataDir: string): void {
  rmSync(lakePaths(dataDir).root, { recursive: true, force: true });
}
