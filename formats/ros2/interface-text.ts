import { EdgeError } from '../../contract/core.ts';

/** The type of a field as type_description_interfaces/FieldType has it. */
export type FieldType = {
  readonly type_id: number;
  /** Length of an array, bound of a sequence; 0 where it has no bound. */
  readonly capacity: number;
  /** Bound of a string; 0 where it has no bound. */
  readonly string_capacity: number;
  /** Full name (`geometry_msgs/msg/Point`) of a nested type, else empty. */
  readonly nested_type_name: string;
};
export type FieldDescription = { readonly name: string; readonly type: FieldType };
/** One type without those it uses; its default values are no part of its hash and left out. */
export type IndividualType = { readonly type_name: string; readonly fields: readonly FieldDescription[] };

const NESTED = 1;
const STRING = 17;
const WSTRING = 18;
/** From an unbounded string to a bounded one. */
const BOUNDED_STRING = 4;
const ARRAY = 48;
const BOUNDED_SEQUENCE = 96;
const UNBOUNDED_SEQUENCE = 144;

/** `char` of a .msg file is an unsigned byte; the ids are those of FieldType.msg. */
const SCALAR_IDS: Readonly<Record<string, number>> = {
  int8: 2,
  uint8: 3,
  char: 3,
  int16: 4,
  uint16: 5,
  int32: 6,
  uint32: 7,
  int64: 8,
  uint64: 9,
  float32: 10,
  float64: 11,
  bool: 15,
  byte: 16,
  string: STRING,
  wstring: WSTRING,
};

/** IDL has no empty structures: they get this member. */
const PLACEHOLDER: FieldDescription = {
  name: 'structure_needs_at_least_one_member',
  type: { type_id: 3, capacity: 0, string_capacity: 0, nested_type_name: '' },
};

/** `type<=bound[array] name rest`; a rest that starts with `=` makes it a constant. */
const LINE = /^([A-Za-z][\w/]*)(?:<=(\d+))?(?:\[(<=)?(\d*)\])?\s+([A-Za-z]\w*)\s*(.*)$/;

/** The fields of one part of an interface of `pkg`. Throws `sample.unknown_type` where a line is no ROS definition. */
export function parseFields(text: string, pkg: string, typeName: string): FieldDescription[] {
  const fields: FieldDescription[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.replace(/#.*/, '').trim();
    if (line === '') continue;
    const match = LINE.exec(line);
    if (!match) throw unusable(typeName, `not a field or constant: ${line.slice(0, 80)}`);
    const [, base = '', stringBound, bounded, length, name = '', rest = ''] = match;
    if (rest.startsWith('=')) continue;
    fields.push({ name, type: fieldType(base, pkg, stringBound, bounded !== undefined, length) });
  }
  return fields.length > 0 ? fields : [PLACEHOLDER];
}

/** A field of a type that is nested; `sequenceMax` makes it a bounded sequence. */
export function nestedField(name: string, typeName: string, sequenceMax?: number): FieldDescription {
  const bounded = sequenceMax !== undefined;
  return {
    name,
    type: {
      type_id: NESTED + (bounded ? BOUNDED_SEQUENCE : 0),
      capacity: sequenceMax ?? 0,
      string_capacity: 0,
      nested_type_name: typeName,
    },
  };
}

/** The parts of a .srv (two) or .action (three) file. Throws `sample.unknown_type` where there are others. */
export function splitParts(text: string, count: number, typeName: string): string[] {
  const parts = text.split(/^---+[ \t]*$/m);
  if (parts.length === count) return parts;
  throw unusable(typeName, `the definition has ${parts.length} parts, not ${count}`);
}

/** `Point` in `geometry_msgs`, `geometry_msgs/Point` and `geometry_msgs/msg/Point` are the same type. */
export function fullMessageName(name: string, pkg: string): string {
  if (name === 'Header') return 'std_msgs/msg/Header';
  const parts = name.split('/');
  if (parts.length === 1) return `${pkg}/msg/${name}`;
  return parts.length === 2 ? `${parts[0]}/msg/${parts[1]}` : name;
}

function fieldType(
  base: string,
  pkg: string,
  stringBound: string | undefined,
  bounded: boolean,
  length: string | undefined,
): FieldType {
  const scalar = SCALAR_IDS[base];
  const id = (scalar ?? NESTED) + (stringBound === undefined ? 0 : BOUNDED_STRING);
  let list = 0;
  if (length !== undefined) list = length === '' ? UNBOUNDED_SEQUENCE : bounded ? BOUNDED_SEQUENCE : ARRAY;
  return {
    type_id: id + list,
    capacity: Number(length ?? 0),
    string_capacity: Number(stringBound ?? 0),
    nested_type_name: scalar === undefined ? fullMessageName(base, pkg) : '',
  };
}

function unusable(type: string, message: string): EdgeError {
  return new EdgeError('sample.unknown_type', { operation: 'parse-definition', subject: type, message });
}
