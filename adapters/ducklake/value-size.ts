import {
  type DuckDBArrayType,
  type DuckDBDataChunk,
  type DuckDBEnumType,
  type DuckDBListType,
  type DuckDBMapType,
  type DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBUnionType,
} from '@duckdb/node-api';
import duckdb, { type Vector } from '@duckdb/node-bindings';

/** Bytes of the item at `index`. It stops counting above `most`, so one huge list costs no more than a large one. */
type Sizer = (index: number, most: number) => number;

/** Sizes and beginnings of the values of a column, read from the engine's memory without converting them. */
export type ColumnSizes = {
  bytes(row: number, most: number): number;
  /** The first `bytes` bytes of a text that is longer than that; undefined where the column is no text. */
  prefix(row: number, bytes: number): string | undefined;
};

const NULL_BYTES = 4;
/** What the engine keeps of a text or blob in a vector: its length, then the bytes or a pointer to them. */
const STRING_BYTES = 16;
const INLINE_BYTES = 12;
/** Commas, brackets and quotes around one item. */
const FRAME_BYTES = 2;

const NUMBERS: ReadonlySet<DuckDBTypeId> = new Set([
  ...[DuckDBTypeId.BOOLEAN, DuckDBTypeId.TINYINT, DuckDBTypeId.SMALLINT, DuckDBTypeId.INTEGER],
  ...[DuckDBTypeId.BIGINT, DuckDBTypeId.UTINYINT, DuckDBTypeId.USMALLINT, DuckDBTypeId.UINTEGER],
  ...[DuckDBTypeId.UBIGINT, DuckDBTypeId.FLOAT, DuckDBTypeId.DOUBLE],
]);
const NUMBER_BYTES = 8;
/** Times, decimals, UUIDs, intervals and 128 bit integers become texts of about this length. */
const OTHER_BYTES = 32;

/** Types that lie in a vector as texts do, and how many characters of JSON one byte of them becomes. */
const STRINGS: ReadonlyMap<DuckDBTypeId, number> = new Map([
  [DuckDBTypeId.VARCHAR, 1],
  [DuckDBTypeId.BLOB, 4],
  [DuckDBTypeId.GEOMETRY, 4],
  [DuckDBTypeId.BIGNUM, 3],
  [DuckDBTypeId.BIT, 8],
]);

/** Measures a column of a chunk that the engine returned. */
export function columnSizes(chunk: DuckDBDataChunk, column: number, type: DuckDBType): ColumnSizes {
  const vector = duckdb.data_chunk_get_vector(chunk.chunk, column);
  const rows = chunk.rowCount;
  const isText = type.typeId === DuckDBTypeId.VARCHAR;
  return {
    bytes: sizer(vector, type, rows),
    prefix: (row, bytes) => (isText ? textPrefix(vector, rows, row, bytes) : undefined),
  };
}

function sizer(vector: Vector, type: DuckDBType, count: number): Sizer {
  const size = sizerOf(vector, type, count);
  const validity = duckdb.vector_get_validity(vector, Math.ceil(count / 64) * 8) as Uint8Array | null;
  if (!validity) return size;
  // What lies under a NULL is not defined: it is never read.
  return (index, most) => (((validity[index >> 3] ?? 0) >> (index & 7)) & 1 ? size(index, most) : NULL_BYTES);
}

function sizerOf(vector: Vector, type: DuckDBType, count: number): Sizer {
  const perByte = STRINGS.get(type.typeId);
  if (perByte !== undefined) {
    const lengths = stringView(vector, count);
    return (index) => lengths.getUint32(index * STRING_BYTES, true) * perByte + FRAME_BYTES;
  }
  switch (type.typeId) {
    case DuckDBTypeId.LIST:
      return listSizer(vector, (type as DuckDBListType).valueType, count);
    case DuckDBTypeId.MAP: {
      const { keyType, valueType } = type as DuckDBMapType;
      return listSizer(vector, { names: ['key', 'value'], types: [keyType, valueType] }, count);
    }
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type as DuckDBStructType;
      return structSizer(vector, { names: entryNames, types: entryTypes }, count);
    }
    case DuckDBTypeId.UNION: {
      const { memberTags, memberTypes } = type as DuckDBUnionType;
      // The first part of a union is the tag; all members but one are NULL.
      return structSizer(
        vector,
        { names: ['tag', ...memberTags], types: [undefined, ...memberTypes] },
        count,
      );
    }
    case DuckDBTypeId.ARRAY: {
      const { length, valueType } = type as DuckDBArrayType;
      const child = sizer(duckdb.array_vector_get_child(vector), valueType, count * length);
      return (index, most) => itemsBytes(child, index * length, length, most);
    }
    case DuckDBTypeId.VARIANT:
      return variantSizer(vector, count);
    case DuckDBTypeId.ENUM: {
      const longest = Math.max(
        0,
        ...(type as DuckDBEnumType).values.map((value) => Buffer.byteLength(value)),
      );
      return () => longest + FRAME_BYTES;
    }
    default: {
      const bytes = NUMBERS.has(type.typeId) ? NUMBER_BYTES : OTHER_BYTES;
      return () => bytes;
    }
  }
}

type Parts = { readonly names: readonly string[]; readonly types: readonly (DuckDBType | undefined)[] };

function structSizer(vector: Vector, { names, types }: Parts, count: number): Sizer {
  const parts = types.map((type, at) => ({
    name: Buffer.byteLength(names[at] ?? '') + FRAME_BYTES,
    size: type && sizer(duckdb.struct_vector_get_child(vector, at), type, count),
  }));
  return (index, most) => {
    let bytes = FRAME_BYTES;
    for (const { name, size } of parts) {
      bytes += name + (size?.(index, most - bytes) ?? NUMBER_BYTES);
      if (bytes > most) break;
    }
    return bytes;
  };
}

function listSizer(vector: Vector, of: DuckDBType | Parts, count: number): Sizer {
  const child = duckdb.list_vector_get_child(vector);
  const items = duckdb.list_vector_get_size(vector);
  const size = 'names' in of ? structSizer(child, of, items) : sizer(child, of, items);
  return entriesSizer(vector, size, count);
}

/** A list is a place and a length in the vector of all items. */
function entriesSizer(vector: Vector, child: Sizer, count: number): Sizer {
  const data = duckdb.vector_get_data(vector, count * 16);
  const entries = new DataView(data.buffer, data.byteOffset, data.byteLength);
  return (index, most) => {
    const offset = Number(entries.getBigUint64(index * 16, true));
    const length = Number(entries.getBigUint64(index * 16 + 8, true));
    return itemsBytes(child, offset, length, most);
  };
}

/** The nodes, keys and bytes that a VARIANT consists of, whatever they mean. */
function variantSizer(vector: Vector, count: number): Sizer {
  const lists = [0, 1, 2].map((at) => {
    const list = duckdb.struct_vector_get_child(vector, at);
    const child = duckdb.list_vector_get_child(list);
    const isKeys = at === 0;
    const keys = isKeys ? stringView(child, duckdb.list_vector_get_size(list)) : undefined;
    const item: Sizer = keys
      ? (index) => keys.getUint32(index * STRING_BYTES, true) + FRAME_BYTES
      : () => OTHER_BYTES;
    return entriesSizer(list, item, count);
  });
  const blob = stringView(duckdb.struct_vector_get_child(vector, 3), count);
  return (index, most) => {
    let bytes = blob.getUint32(index * STRING_BYTES, true);
    for (const list of lists) if (bytes <= most) bytes += list(index, most - bytes);
    return bytes;
  };
}

function itemsBytes(child: Sizer, offset: number, length: number, most: number): number {
  let bytes = FRAME_BYTES;
  for (let i = offset; i < offset + length && bytes <= most; i++) bytes += child(i, most - bytes) + 1;
  return bytes;
}

function stringView(vector: Vector, count: number): DataView {
  const data = duckdb.vector_get_data(vector, count * STRING_BYTES);
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

function textPrefix(vector: Vector, rows: number, row: number, bytes: number): string {
  const view = stringView(vector, rows);
  const at = row * STRING_BYTES;
  const length = Math.min(bytes, view.getUint32(at, true));
  const whole = view.getUint32(at, true);
  const from = view.byteOffset + at;
  const start =
    whole <= INLINE_BYTES
      ? new Uint8Array(view.buffer, from + 4, length)
      : duckdb.get_data_from_pointer(view.buffer as ArrayBuffer, from + 8, length);
  // The last character may be cut in the middle.
  return new TextDecoder().decode(start).replace(/\uFFFD$/u, '');
}
