import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { type CellContext, EdgeError, type LakeInfo } from '../../contract/core.ts';
import {
  attachEmbedded,
  attachRemote,
  catalogSchema,
  createTables,
  detach,
  loadExtension,
  lockDown,
  makeReaders,
} from './attach.ts';
import { DataFiles, fsyncPath } from './data-files.ts';
import { isPassing, lakeFailed, lakeUnavailable } from './faults.ts';
import { setFileOptions } from './file-options.ts';
import { ownerOf } from './lake-owner.ts';
import { attachStatement, dropStatement, placeText, type RemotePlace } from './remote-place.ts';
import { LAKE } from './schema-sql.ts';
import { dropOldest, putBack, setAside } from './set-aside.ts';
import { takeOver } from './take-over.ts';

/** Memory and threads of the engine: a robot has other work to do. Larger sorts spill to the disk. */
const MEMORY_LIMIT = '256MB';
const THREADS = '2';
const SPILL_LIMIT = '1GB';
export type EngineOptions = {
  /** The lake lies in `<dataDir>/lake`. */
  readonly dataDir: string;
  /** Where to look for the DuckLake extension; empty means plain DuckDB. */
  readonly extensionDirectories: readonly string[];
  /** The lake is on servers; asked at each opening, so that changed credentials count. Absent: it is embedded. */
  readonly remote?: () => RemotePlace;
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
    /** While a lake is moved, two engines are open: each spills to files of the same names. */
    remoteSpill: join(root, 'spill-remote'),
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
  /** Schema of the tables of DuckLake's catalogue, for SQL. */
  readonly catalog: string;
  /** Files that the engine leaves unsynced; undefined where storage acknowledges only what is durable. */
  readonly files: DataFiles | undefined;
  readonly report: CellContext['report'];

  /** For `open`: the parts of an engine that is ready. */
  constructor(
    instance: DuckDBInstance,
    writer: DuckDBConnection,
    readers: readonly DuckDBConnection[],
    info: LakeInfo,
    catalog: string,
    files: DataFiles | undefined,
    report: CellContext['report'] = () => {},
  ) {
    this.instance = instance;
    this.writer = writer;
    this.readers = readers;
    this.info = info;
    this.catalog = catalog;
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
    if (options.remote) return await openRemote(options, options.remote(), prepare);
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
      await files?.syncNew();
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
  const instance = await createInstance(paths.spill);
  const writer = await instance.connect();
  try {
    const { kind, why } =
      plainWhy === undefined
        ? await loadExtension(writer, options.extensionDirectories)
        : { kind: 'duckdb' as const, why: plainWhy };
    await attachEmbedded(writer, kind, paths);
    const files = new DataFiles(paths.files);
    await createTables(writer);
    if (kind === 'ducklake') {
      await setFileOptions(writer);
      if (existsSync(paths.plain)) await takePlainOver(writer, paths.plain, files);
    }
    await files.syncNew();
    await fsyncPath(paths.root);
    const readers = await makeReaders(instance);
    await lockDown(writer, [`${paths.root}/`]);
    const path = kind === 'ducklake' ? paths.catalog : paths.plain;
    return new LakeEngine(
      instance,
      writer,
      readers,
      { kind, why: prelude + why, path, place: 'embedded' },
      catalogSchema(),
      files,
      options.report,
    );
  } catch (thrown) {
    await letGo(instance, writer);
    throw thrown;
  }
}

function createInstance(spill: string): Promise<DuckDBInstance> {
  return DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    threads: THREADS,
    temp_directory: spill,
    max_temp_directory_size: SPILL_LIMIT,
    preserve_insertion_order: 'false',
    // Memory goes back to the system when a batch or a query is over, instead of when 128 MB are free.
    allocator_background_threads: 'true',
    allocator_flush_threshold: '4MB',
    allocator_bulk_deallocation_flush_threshold: '4MB',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
}

/**
 * Nothing is set aside here: what cannot be read now may be a server that is away, and is tried again. A commit whose
 * answer was lost is settled by reading: rows and cursor are one transaction of PostgreSQL.
 */
async function openRemote<T>(
  options: EngineOptions,
  place: RemotePlace,
  prepare: (engine: LakeEngine) => Promise<T>,
): Promise<T> {
  const paths = lakePaths(options.dataDir);
  const { path, catalog } = placeText(place);
  mkdirSync(paths.root, { recursive: true });
  const instance = await createInstance(paths.remoteSpill);
  const writer = await instance.connect();
  try {
    await attachRemote(writer, options.extensionDirectories, place, await ownerOf(options.dataDir));
    await createTables(writer);
    await setFileOptions(writer);
    const readers = await makeReaders(instance);
    await lockDown(writer, [`${paths.root}/`, place.storage.url]);
    const info: LakeInfo = { kind: 'ducklake', why: `catalogue ${catalog}`, path, place: 'remote' };
    const engine = new LakeEngine(
      ...[instance, writer, readers, info],
      ...[catalogSchema(place), undefined, options.report],
    );
    return await prepare(engine);
  } catch (thrown) {
    await letGo(instance, writer);
    const { message } = lakeFailed(thrown, 'lake.open', path);
    throw thrown instanceof EdgeError && thrown.code !== 'lake.failed'
      ? thrown
      : lakeUnavailable(path, message, REMOTE_HINT, thrown);
  }
}

/** Drops a lake on servers: its schema in the catalogue, then the files that no catalogue names now. */
async function removeRemote(options: EngineOptions, place: RemotePlace): Promise<void> {
  const instance = await createInstance(lakePaths(options.dataDir).remoteSpill);
  const connection = await instance.connect();
  try {
    await attachRemote(connection, options.extensionDirectories, place, await ownerOf(options.dataDir));
    await connection.run(`DETACH ${LAKE}`);
    await connection.run(dropStatement(place));
    await connection.run(attachStatement(place));
    await connection.run(`CALL ducklake_delete_orphaned_files('${LAKE}', cleanup_all => true)`);
  } catch (thrown) {
    const { path } = placeText(place);
    throw lakeUnavailable(path, lakeFailed(thrown, 'lake.rebuild', path).message, REMOTE_HINT, thrown);
  } finally {
    await letGo(instance, connection);
  }
}

const REMOTE_HINT =
  'check that both servers answer and take these credentials: `auraison doctor`; it is tried again, and events wait in the logs';

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
  await detach(connection);
  connection.closeSync();
  instance.closeSync();
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

/** Removes a lake that is closed. */
export async function removeLake(options: EngineOptions): Promise<void> {
  if (options.remote) await removeRemote(options, options.remote());
  else rmSync(lakePaths(options.dataDir).root, { recursive: true, force: true });
}
