import { rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  type DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBListValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  LIST,
  VARCHAR,
} from '@duckdb/node-api';
import { EdgeError, type ParquetColumn, type ParquetFiles } from '../../contract/core.ts';
import { fsyncPath } from './data-files.ts';
import { lakeFailed } from './faults.ts';
import { quote } from './schema-sql.ts';

/** Limits of the engine, since datasets are exported while the robot works. */
const MEMORY_LIMIT = '256MB';
/** Rows of one vector of the engine. */
const CHUNK_ROWS = 2_048;

const TYPES: Readonly<Record<ParquetColumn['type'], DuckDBType>> = {
  int64: BIGINT,
  float32: FLOAT,
  float64: DOUBLE,
  bool: BOOLEAN,
  text: VARCHAR,
  float32_list: LIST(FLOAT),
  float64_list: LIST(DOUBLE),
  float64_list3: LIST(LIST(LIST(DOUBLE))),
  text_list: LIST(VARCHAR),
  int64_list: LIST(BIGINT),
};

/** Parquet files by an engine in memory of its own, made at the first file; it never sees the lake. */
export class DuckParquetFiles implements ParquetFiles {
  #engine: Promise<{ instance: DuckDBInstance; connection: DuckDBConnection }> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  write(
    path: string,
    columns: readonly ParquetColumn[],
    meta: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    return this.#inTurn('parquet.write', path, async (connection) => {
      const rows = columns[0]?.values.length ?? 0;
      const odd = columns.find(({ values }) => values.length !== rows);
      if (odd || columns.length === 0)
        throw new EdgeError('lake.failed', {
          operation: 'parquet.write',
          subject: path,
          message: odd
            ? `column ${odd.name} has ${odd.values.length} values, but other columns have ${rows}`
            : 'a Parquet file needs at least one column',
          retryable: false,
        });
      const names = columns.map(({ name, type }) => `${identifier(name)} ${TYPES[type].toString()}`);
      await connection.run(`CREATE OR REPLACE TEMP TABLE rows (${names.join(', ')})`);
      const partial = `${path}.partial`;
      try {
        await append(connection, columns, rows);
        const pairs = Object.entries(meta).map(([key, value]) => `${identifier(key)}: ${quote(value)}`);
        const kv = pairs.length === 0 ? '' : `, KV_METADATA {${pairs.join(', ')}}`;
        await connection.run(
          `COPY (SELECT * FROM rows ORDER BY rowid) TO ${quote(partial)} (FORMAT parquet, COMPRESSION snappy${kv})`,
        );
        await fsyncPath(partial);
        await rename(partial, path);
        await fsyncPath(dirname(path));
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      } finally {
        await connection.run('DROP TABLE IF EXISTS rows');
      }
    });
  }

  read(
    path: string,
    columns?: readonly string[],
    range?: { readonly from: number; readonly to: number },
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    return this.#inTurn('parquet.read', path, async (connection) => {
      const what = columns ? columns.map(identifier).join(', ') : '* EXCLUDE (file_row_number)';
      const where = range ? ` WHERE file_row_number >= ${range.from} AND file_row_number < ${range.to}` : '';
      const reader = await connection.runAndReadAll(
        `SELECT ${what} FROM read_parquet(${await fileName(path)}, file_row_number = true)${where} ORDER BY file_row_number`,
      );
      return reader.getRowObjects().map(plainRow);
    });
  }

  metadata(path: string): Promise<Readonly<Record<string, string>>> {
    return this.#inTurn('parquet.metadata', path, async (connection) => {
      const reader = await connection.runAndReadAll(
        `SELECT decode(key), decode(value) FROM parquet_kv_metadata(${await fileName(path)})`,
      );
      return Object.fromEntries(reader.getRows().map(([key, value]) => [String(key), String(value)]));
    });
  }

  async close(): Promise<void> {
    const engine = this.#engine;
    this.#engine = undefined;
    await this.#last.catch(() => {});
    const opened = await engine?.catch(() => undefined);
    opened?.connection.closeSync();
    opened?.instance.closeSync();
  }

  #inTurn<T>(
    operation: string,
    path: string,
    work: (connection: DuckDBConnection) => Promise<T>,
  ): Promise<T> {
    const run = async () => {
      try {
        this.#engine ??= open();
        return await work((await this.#engine).connection);
      } catch (thrown) {
        throw lakeFailed(thrown, operation, path);
      }
    };
    const result = this.#last.then(run, run);
    this.#last = result.catch(() => {});
    return result;
  }
}

async function open() {
  const instance = await DuckDBInstance.create(':memory:', {
    memory_limit: MEMORY_LIMIT,
    threads: '1',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  });
  return { instance, connection: await instance.connect() };
}

async function append(connection: DuckDBConnection, columns: readonly ParquetColumn[], rows: number) {
  const appender = await connection.createAppender('rows');
  try {
    for (let at = 0; at < rows; at += CHUNK_ROWS) {
      const count = Math.min(CHUNK_ROWS, rows - at);
      const chunk = DuckDBDataChunk.create(
        columns.map(({ type }) => TYPES[type]),
        count,
      );
      chunk.setColumns(
        columns.map(({ type, values }) =>
          values.slice(at, at + count).map((value) => engineValue(type, value)),
        ),
      );
      appender.appendDataChunk(chunk);
    }
    appender.flushSync();
  } finally {
    appender.closeSync();
  }
}

function engineValue(type: ParquetColumn['type'], value: unknown): DuckDBValue {
  if (value === null || value === undefined) return null;
  if (type === 'int64') return BigInt(value as number | bigint);
  if (type === 'int64_list')
    return new DuckDBListValue((value as readonly (number | bigint)[]).map((n) => BigInt(n)));
  if (type.endsWith('_list') || type === 'float64_list3') return listOf(value);
  return value as DuckDBValue;
}

function listOf(value: unknown): DuckDBListValue {
  const items = Array.from(value as ArrayLike<unknown>);
  return new DuckDBListValue(
    items.map((item) => (typeof item === 'object' && item !== null ? listOf(item) : (item as DuckDBValue))),
  );
}

function plainRow(row: Record<string, DuckDBValue>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

/** Lists and fixed arrays as arrays, blobs as bytes. */
function plain(value: DuckDBValue): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('items' in value) return (value.items as readonly DuckDBValue[]).map(plain);
  if ('bytes' in value) return value.bytes;
  return value;
}

/** The name is one file: a pattern in it is taken literally. Rejects where the file does not exist. */
async function fileName(path: string): Promise<string> {
  if (!(await stat(path)).isFile()) throw new Error(`${path} is no file`);
  return quote(path.replace(/[*?[\]]/g, (c) => `[${c}]`));
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
