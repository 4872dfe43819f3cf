/**
 * What an ONNX file says of its inputs, read from its bytes: a policy is described before its network is loaded, and
 * a network of a gigabyte is not loaded for that. Field numbers from onnx.proto3. Pure.
 */
export type NetworkInput = {
  readonly name: string;
  /** `float32`, `int64`, ...; `type 9` and so on where it has no name here. */
  readonly type: string;
  /** Undefined, the whole or one axis: the file leaves it open. */
  readonly shape: readonly (number | undefined)[] | undefined;
};

const MODEL_GRAPH = 7;
const GRAPH_INPUT = 11;
const VALUE_NAME = 1;
const VALUE_TYPE = 2;
const TYPE_TENSOR = 1;
const TENSOR_ELEMENT = 1;
const TENSOR_SHAPE = 2;
const SHAPE_AXIS = 1;
const AXIS_SIZE = 1;

/** TensorProto.DataType. */
const TYPES: Readonly<Record<number, string>> = {
  1: 'float32',
  2: 'uint8',
  3: 'int8',
  6: 'int32',
  7: 'int64',
  9: 'bool',
  10: 'float16',
  11: 'float64',
  16: 'bfloat16',
};

/** Inputs of the graph, in its order. What is no ONNX has none: whoever loads it says what is wrong. */
export function networkInputs(bytes: Uint8Array): readonly NetworkInput[] {
  try {
    return messages(bytes, MODEL_GRAPH).flatMap((graph) => messages(graph, GRAPH_INPUT).map(inputOf));
  } catch (thrown) {
    if (thrown instanceof RangeError) return [];
    throw thrown;
  }
}

function inputOf(value: Uint8Array): NetworkInput {
  const name = messages(value, VALUE_NAME).at(-1) ?? new Uint8Array();
  const tensor = last(messages(value, VALUE_TYPE), TYPE_TENSOR);
  const element = tensor ? (number(tensor, TENSOR_ELEMENT) ?? 0) : 0;
  const shape = tensor && last([tensor], TENSOR_SHAPE);
  return {
    name: new TextDecoder().decode(name),
    type: TYPES[element] ?? `type ${element}`,
    shape: shape && messages(shape, SHAPE_AXIS).map((axis) => number(axis, AXIS_SIZE)),
  };
}

function last(within: readonly Uint8Array[], field: number): Uint8Array | undefined {
  return within.flatMap((bytes) => messages(bytes, field)).at(-1);
}

/** The contents of a field that holds messages or text. */
function messages(bytes: Uint8Array, wanted: number): Uint8Array[] {
  return fields(bytes).flatMap(({ field, value }) =>
    field === wanted && value instanceof Uint8Array ? [value] : [],
  );
}

function number(bytes: Uint8Array, wanted: number): number | undefined {
  const found = fields(bytes).findLast(({ field, value }) => field === wanted && typeof value === 'number');
  return found?.value as number | undefined;
}

/** The fields of one message. Contents are not copied. Throws a RangeError where the bytes are no message. */
function fields(bytes: Uint8Array): { readonly field: number; readonly value: number | Uint8Array }[] {
  const found: { field: number; value: number | Uint8Array }[] = [];
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 63) throw new RangeError('it ends within a number');
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key % 8;
    const field = Math.floor(key / 8);
    if (kind === 0) {
      found.push({ field, value: varint() });
      continue;
    }
    const length = kind === 2 ? varint() : kind === 1 ? 8 : kind === 5 ? 4 : Number.NaN;
    if (!(at + length <= bytes.length)) throw new RangeError('it ends within a field');
    if (kind === 2) found.push({ field, value: bytes.subarray(at, at + length) });
    at += length;
  }
  return found;
}
