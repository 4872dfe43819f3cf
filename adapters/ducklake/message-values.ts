import {
  BIGINT,
  BLOB,
  BOOLEAN,
  DOUBLE,
  DuckDBBlobValue,
  DuckDBListValue,
  DuckDBStructValue,
  DuckDBTimestampNanosecondsValue,
  type DuckDBType,
  type DuckDBValue,
  FLOAT,
  INTEGER,
  LIST,
  SMALLINT,
  STRUCT,
  TIMESTAMP_NS,
  TINYINT,
  UBIGINT,
  UINTEGER,
  USMALLINT,
  UTINYINT,
  VARCHAR,
} from '@duckdb/node-api';
import { LIMITS } from '../../contract/core.ts';
import { type RosScalar, type RosType, stampNs } from '../../formats/ros2/index.ts';

const SCALARS: Readonly<Record<RosScalar, DuckDBType>> = {
  bool: BOOLEAN,
  int8: TINYINT,
  uint8: UTINYINT,
  int16: SMALLINT,
  uint16: USMALLINT,
  int32: INTEGER,
  uint32: UINTEGER,
  int64: BIGINT,
  uint64: UBIGINT,
  float32: FLOAT,
  float64: DOUBLE,
  string: VARCHAR,
  time: TIMESTAMP_NS,
  duration: BIGINT,
};

/** The type of the engine for a value of ROS: structs and lists nest, a time is TIMESTAMP_NS, a duration nanoseconds. */
export function engineType(type: RosType): DuckDBType {
  if (type.kind === 'scalar') return SCALARS[type.of];
  if (type.kind === 'bytes') return BLOB;
  if (type.kind === 'list') return LIST(engineType(type.of));
  return STRUCT(Object.fromEntries(type.fields.map(({ name, type: of }) => [name, engineType(of)])));
}

/** What was left out of a message, since it is large: paths of fields, and their bytes; `values`: how many were not. */
export type LeftOut = { readonly paths: Set<string>; bytes: number; values: number };

/**
 * A value of a decoded message for the engine. What is larger than `LIMITS` allow becomes NULL, and its path is noted:
 * it stays in the segment. Half a surrogate pair becomes U+FFFD.
 */
export function engineValue(type: RosType, value: unknown, path: string, left: LeftOut): DuckDBValue {
  if (value === null || value === undefined) return null;
  left.values += 1;
  if (type.kind === 'scalar') return scalarValue(type.of, value, path, left);
  if (type.kind === 'bytes') {
    const bytes = value as Uint8Array;
    if (bytes.byteLength > LIMITS.LAKE_BLOB_BYTES_MAX) return leave(path, bytes.byteLength, left);
    return new DuckDBBlobValue(bytes);
  }
  if (type.kind === 'struct') {
    const fields = value as Readonly<Record<string, unknown>>;
    const entries: Record<string, DuckDBValue> = {};
    for (const { name, type: of } of type.fields)
      entries[name] = engineValue(of, fields[name], `${path}.${name}`, left);
    return new DuckDBStructValue(entries);
  }
  const items = value as ArrayLike<unknown>;
  if (ArrayBuffer.isView(value) && value.byteLength > LIMITS.LAKE_ARRAY_BYTES_MAX)
    return leave(path, value.byteLength, left);
  if (items.length > LIMITS.LAKE_ELEMENTS_MAX) return leave(path, items.length, left);
  return new DuckDBListValue(Array.from(items, (item) => engineValue(type.of, item, `${path}[]`, left)));
}

function scalarValue(of: RosScalar, value: unknown, path: string, left: LeftOut): DuckDBValue {
  if (of === 'time') return new DuckDBTimestampNanosecondsValue(stampNs(value));
  if (of === 'duration') return stampNs(value);
  if (of !== 'string') return typeof value === 'object' ? null : (value as DuckDBValue);
  const text = value as string;
  return text.length > LIMITS.LAKE_ARRAY_BYTES_MAX ? leave(path, text.length, left) : text.toWellFormed();
}

function leave(path: string, bytes: number, left: LeftOut): null {
  left.paths.add(path);
  left.bytes += bytes;
  return null;
}
