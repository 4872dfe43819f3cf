import {
  type DuckDBDataChunk,
  type DuckDBResult,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBVector,
} from '@duckdb/node-api';
import { EdgeError, type LakePage, LIMITS } from '../../contract/core.ts';
import { jsonValue } from './json-values.ts';
import { type ColumnSizes, columnSizes } from './value-size.ts';

/** Bytes and values that are converted before the event loop gets its turn: about a millisecond. */
const TURN_BYTES = 256 * 1024;
const TURN_VALUES = 4_096;

export type RowLimits = { readonly rows: number; readonly valueBytes: number };

type Chunk = {
  readonly chunk: DuckDBDataChunk;
  readonly rowCount: number;
  readonly vectors: readonly DuckDBVector[];
  readonly sizes: readonly ColumnSizes[];
};

/**
 * Takes the rows of one streaming result, page by page. Every value is measured in the engine's memory first, so
 * a value that is not returned is never converted: a value of 200 MB costs this thread no more than its mark.
 */
export class RowReader {
  readonly columns: LakeColumns;
  readonly #result: DuckDBResult;
  readonly #types: readonly DuckDBType[];
  readonly #limits: RowLimits;
  #chunk: Chunk | undefined;
  #at = 0;
  #taken = 0;
  #ended = false;

  constructor(result: DuckDBResult, limits: RowLimits) {
    this.#result = result;
    this.#limits = limits;
    this.#types = result.columnTypes();
    this.columns = result.columnNames().map((name, i) => ({ name, type: String(this.#types[i]) }));
  }

  /** Rows up to `most` bytes, but one row at least. Rejects with `limit.exceeded` where no answer can hold a row. */
  async page(most: number): Promise<LakePage> {
    const rows: unknown[][] = [];
    let bytes = 0;
    let cut = 0;
    let turn = { bytes: 0, values: 0 };
    const end = (truncated: boolean, reason: string) => ({ rows, bytes, cut, end: { truncated, reason } });
    for (;;) {
      const chunk = await this.#current();
      if (!chunk) return end(false, '');
      if (this.#taken >= this.#limits.rows) return end(true, `the limit of ${this.#limits.rows} rows`);
      const sizes = this.#measure(chunk);
      const held = sizes.reduce((sum, size, column) => sum + this.#cost(column, size), 0);
      if (rows.length > 0 && bytes + held > most) return { rows, bytes, cut };
      if (held > LIMITS.LAKE_ANSWER_BYTES_MAX) throw this.#tooLarge(sizes, held);
      const row = sizes.map((size, column) => this.#value(chunk, column, size));
      // JSON writes a control character as six: the answer counts as it will be written.
      const rowBytes = Math.max(held, Buffer.byteLength(JSON.stringify(row)));
      if (rows.length > 0 && bytes + rowBytes > most) return { rows, bytes, cut };
      if (rowBytes > LIMITS.LAKE_ANSWER_BYTES_MAX) throw this.#tooLarge(sizes, rowBytes);
      rows.push(row);
      cut += sizes.filter((size) => size > this.#limits.valueBytes).length;
      bytes += rowBytes;
      this.#at += 1;
      this.#taken += 1;
      turn = { bytes: turn.bytes + rowBytes, values: turn.values + sizes.length };
      if (turn.bytes < TURN_BYTES && turn.values < TURN_VALUES) continue;
      turn = { bytes: 0, values: 0 };
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /**
   * Gives the memory of the chunk back to the engine. The garbage collector would, but it knows only of the few bytes
   * that JavaScript has of it, so it lets hundreds of megabytes wait.
   */
  drop(): void {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    this.#at = 0;
    chunk?.chunk.reset();
  }

  /** The chunk that has the next row; undefined after the last. */
  async #current(): Promise<Chunk | undefined> {
    while (!this.#ended && (!this.#chunk || this.#at >= this.#chunk.rowCount)) {
      this.drop();
      const chunk = await this.#result.fetchChunk();
      if (chunk && chunk.rowCount > 0) this.#chunk = this.#opened(chunk);
      else this.#ended = true;
    }
    return this.#chunk;
  }

  #opened(chunk: DuckDBDataChunk): Chunk {
    return {
      chunk,
      rowCount: chunk.rowCount,
      vectors: this.#types.map((_, column) => chunk.getColumnVector(column)),
      sizes: this.#types.map((type, column) => columnSizes(chunk, column, type)),
    };
  }

  #measure(chunk: Chunk): number[] {
    return chunk.sizes.map((column) => column.bytes(this.#at, this.#limits.valueBytes));
  }

  /** The returned part of a value of this size: a text is cut, a nested value is left out. */
  #cost(column: number, size: number): number {
    const { valueBytes } = this.#limits;
    if (size <= valueBytes) return size;
    return this.#types[column]!.typeId === DuckDBTypeId.VARCHAR ? valueBytes : MARK_BYTES;
  }

  #value(chunk: Chunk, column: number, size: number): unknown {
    const type = this.#types[column]!;
    const { valueBytes } = this.#limits;
    if (size <= valueBytes) return jsonValue(chunk.vectors[column]!.getItem(this.#at), type, jsonValue);
    const start = chunk.sizes[column]!.prefix(this.#at, valueBytes);
    if (start !== undefined) return `${start}… (${size - QUOTES} bytes, cut)`;
    return `… (${String(type).slice(0, TYPE_CHARS)}, left out: above ${valueBytes} bytes)`;
  }

  #tooLarge(sizes: readonly number[], bytes: number): EdgeError {
    const largest = sizes.indexOf(Math.max(...sizes));
    const name = this.columns[largest]?.name ?? '';
    return new EdgeError('limit.exceeded', {
      operation: 'lake.query',
      subject: name.slice(0, 200),
      message:
        `row ${this.#taken + 1} has more than ${LIMITS.LAKE_ANSWER_BYTES_MAX} bytes; ` +
        `its largest column is ${name.slice(0, 200)} with ${sizes[largest]! - QUOTES} bytes` +
        (sizes[largest]! > LIMITS.LAKE_ANSWER_BYTES_MAX ? '' : `, and as JSON the row has ${bytes}`),
      hint: 'select fewer columns, or part of a column: substr(column, 1, 1000)',
      retryable: false,
    });
  }
}

type LakeColumns = readonly { readonly name: string; readonly type: string }[];

/** The size of a text counts its quotes; what people read does not. */
const QUOTES = 2;
/** The type of a nested column can be as long as its names are. */
const TYPE_CHARS = 200;
const MARK_BYTES = TYPE_CHARS + 50;
