import { EdgeError } from '../../contract/core.ts';
import { type Codec, codecOf, type Field, partOf } from './codec.ts';
import { unitOf } from './units.ts';

export type RosScalar =
  | ('bool' | 'int8' | 'uint8' | 'int16' | 'uint16' | 'int32' | 'uint32' | 'int64' | 'uint64')
  | ('float32' | 'float64' | 'string' | 'time' | 'duration');
/** Shape of a value in a table. `bytes` is `uint8[]`; arrays of a fixed length are lists too. */
export type RosType =
  | { readonly kind: 'scalar'; readonly of: RosScalar }
  | { readonly kind: 'bytes' }
  | { readonly kind: 'list'; readonly of: RosType }
  | { readonly kind: 'struct'; readonly type: string; readonly fields: readonly RosColumn[] };
export type RosColumn = {
  readonly name: string;
  readonly type: RosType;
  /** What is known of it: its type in ROS, units, the frame. */
  readonly note: string;
};

/** Columns of one definition, and the way from a decoded message to their values. */
export type RosTable = {
  readonly columns: readonly RosColumn[];
  /** Whether messages may hold any number of structs or texts: what decoding takes is not bounded by a few arrays. */
  readonly isOpenEnded: boolean;
};

/** A definition with more fields than this, with all that nest, is not made into columns. */
const FIELDS_MAX = 4_096;

/**
 * The columns that messages of this definition become: one for each field, structs nested, constants left out. Throws
 * `sample.unknown_type` where there is no definition, or one that cannot be used. A struct without fields is a
 * `bool` that is always absent: tables have no empty structs.
 */
export function columnsOf(type: string, definition?: string): RosTable {
  const codec = codecOf(type, definition);
  const state = { left: FIELDS_MAX, isOpenEnded: false };
  const columns = structColumns(codec, type, codec.fields, state);
  if (state.left < 0)
    throw new EdgeError('sample.unknown_type', {
      operation: 'read-definition',
      subject: type,
      message: `the definition has more than ${FIELDS_MAX} fields, those of nested types included`,
    });
  return { columns, isOpenEnded: state.isOpenEnded };
}

type State = { left: number; isOpenEnded: boolean };

function structColumns(codec: Codec, type: string, fields: readonly Field[], state: State): RosColumn[] {
  const columns: RosColumn[] = [];
  for (const field of fields) {
    state.left -= 1;
    if (state.left < 0) return columns;
    const one = elementType(codec, field, state);
    const isSequence = field.isArray === true && field.arrayLength === undefined;
    const isText = one.kind === 'scalar' && one.of === 'string';
    if (isSequence && (one.kind === 'struct' || isText)) state.isOpenEnded = true;
    columns.push({ name: field.name, type: shape(field, one), note: noteOf(type, field) });
  }
  return columns;
}

function shape(field: Field, one: RosType): RosType {
  if (field.isArray !== true) return one;
  return one.kind === 'scalar' && one.of === 'uint8' ? { kind: 'bytes' } : { kind: 'list', of: one };
}

function elementType(codec: Codec, field: Field, state: State): RosType {
  if (field.isComplex !== true) return { kind: 'scalar', of: field.type as RosScalar };
  const fields = structColumns(codec, field.type, partOf(codec, field.type), state);
  if (fields.length === 0) return { kind: 'scalar', of: 'bool' };
  return { kind: 'struct', type: field.type, fields };
}

function noteOf(type: string, field: Field): string {
  const array = field.isArray === true ? `[${field.arrayLength ?? ''}]` : '';
  const unit = unitOf(type, field.name, field.type);
  return `${field.type}${array}${unit === '' ? '' : `: ${unit}`}`;
}

/** Time or duration of a decoded message, nanoseconds. */
export function stampNs(value: unknown): bigint {
  const { sec = 0, nanosec = 0 } = (value ?? {}) as { sec?: number; nanosec?: number };
  return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
}
