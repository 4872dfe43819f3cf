import { parse } from '@foxglove/rosmsg';
import { EdgeError } from '../../contract/core.ts';
import { bareDefinition, DefinitionFault } from './definition-text.ts';
import { schemaFor } from './definitions.ts';

type MessageDefinition = ReturnType<typeof parse>[number];
export type Field = MessageDefinition['definitions'][number];

/** A definition, parsed: the fields of the message and those of the types within it, constants left out. */
export type Codec = {
  readonly type: string;
  readonly fields: readonly Field[];
  readonly parts: ReadonlyMap<string, readonly Field[]>;
  /** The least that one value of each part takes: what makes a length prefix implausible. */
  readonly bytesMin: Map<readonly Field[], number>;
};

/** Bytes of one value; of a string its length alone. */
export const SCALAR_BYTES: Readonly<Record<string, number>> = {
  bool: 1,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  float32: 4,
  float64: 8,
  string: 4,
  time: 8,
  duration: 8,
};

/** Parsed definitions that are kept, with their faults; a bag with more types than this parses some of them again. */
const CODECS_MAX = 256;
/** Deepest nesting of types; the deepest of common ROS messages is 6. */
const DEPTH_MAX = 32;
const codecs = new Map<string, Codec | EdgeError>();

/** Throws `sample.unknown_type` where there is no definition, or one that this host cannot use. */
export function codecOf(type: string, definition: string | undefined): Codec {
  const text = definition ?? schemaFor(type)?.data;
  if (text === undefined) {
    const hint = 'provide the message definition, or read the message from a bag that contains it';
    throw new EdgeError('sample.unknown_type', { operation: 'find-definition', subject: type, hint });
  }
  const key = `${type}\n${text}`;
  let codec = codecs.get(key);
  if (codec === undefined) {
    codec = compiled(type, text);
    if (codecs.size >= CODECS_MAX) codecs.delete(codecs.keys().next().value!);
    codecs.set(key, codec);
  }
  if (codec instanceof EdgeError) throw codec;
  return codec;
}

export function partOf(codec: Codec, name: string): readonly Field[] {
  const part = codec.parts.get(name);
  if (part) return part;
  throw unusable(codec.type, `the definition does not contain ${name}`);
}

/** The least bytes that one element of `fields` takes; never 0, since an empty message has one byte. */
export function bytesMin(codec: Codec, fields: readonly Field[], depth = 0): number {
  const known = codec.bytesMin.get(fields);
  if (known !== undefined) return known;
  if (depth > DEPTH_MAX) throw unusable(codec.type, 'the definition refers to itself');
  let bytes = 0;
  for (const field of fields) {
    const one = elementBytesMin(codec, field, depth);
    bytes += field.isArray !== true ? one : field.arrayLength === undefined ? 4 : one * field.arrayLength;
  }
  const least = Math.max(1, bytes);
  codec.bytesMin.set(fields, least);
  return least;
}

export function elementBytesMin(codec: Codec, field: Field, depth = 0): number {
  if (field.isComplex === true) return bytesMin(codec, partOf(codec, field.type), depth + 1);
  const bytes = SCALAR_BYTES[field.type];
  if (bytes === undefined) throw unusable(codec.type, `fields of ${field.type} are not supported`);
  return bytes;
}

/** Unusable definitions are kept too, since their messages keep coming. */
function compiled(type: string, text: string): Codec | EdgeError {
  try {
    return compile(type, text);
  } catch (error) {
    return EdgeError.from(error, 'sample.unknown_type', 'parse-definition', type);
  }
}

function compile(type: string, text: string): Codec {
  let parsed: MessageDefinition[];
  try {
    parsed = parse(bareDefinition(text), { ros2: true });
  } catch (cause) {
    if (cause instanceof DefinitionFault) throw unusable(type, cause.message);
    throw EdgeError.from(cause, 'sample.unknown_type', 'parse-definition', type);
  }
  const [root, ...rest] = parsed;
  const parts = new Map(rest.map((part) => [part.name ?? '', data(part)] as const));
  const codec: Codec = { type, fields: root ? data(root) : [], parts, bytesMin: new Map() };
  // Walks all of it: a definition with holes, or one that holds itself, is refused here and not while decoding.
  bytesMin(codec, codec.fields);
  return codec;
}

function data(part: MessageDefinition): readonly Field[] {
  return part.definitions.filter((field) => field.isConstant !== true);
}

function unusable(type: string, message: string): EdgeError {
  return new EdgeError('sample.unknown_type', { operation: 'read-definition', subject: type, message });
}
