import { EdgeError } from '../../contract/core.ts';

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

/** Files of before 2019 list their weights as inputs too; a network of this project has ten. */
const INPUTS_MAX = 1_024;
/** Axes of one input; images in batches have four. */
const AXES_MAX = 64;
const NAME_BYTES_MAX = 1_024;
/**
 * Fields looked at in one file, each of twenty bytes at most beside its contents, which are passed over. The largest
 * networks have some hundred thousand nodes and weights; this many take a tenth of a second of the cell's thread.
 */
const FIELDS_MAX = 2_000_000;

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

/** A part of the file: from here up to there. */
type Span = { readonly from: number; readonly to: number };

/**
 * Inputs of the graph, in its order. A file that is not ONNX has none: its loader says what is wrong. Throws
 * `model.unavailable` naming `path` for one that is made to be read for long.
 */
export function networkInputs(bytes: Uint8Array, path: string): readonly NetworkInput[] {
  try {
    return new OnnxInputs(bytes, path).read();
  } catch (thrown) {
    if (thrown instanceof RangeError) return [];
    throw thrown;
  }
}

/** Reads one file. Nothing is kept of fields that are not looked for, and contents are not copied. */
class OnnxInputs {
  readonly #bytes: Uint8Array;
  readonly #path: string;
  #at = 0;
  #fields = 0;

  constructor(bytes: Uint8Array, path: string) {
    this.#bytes = bytes;
    this.#path = path;
  }

  read(): readonly NetworkInput[] {
    const inputs: NetworkInput[] = [];
    this.#messages({ from: 0, to: this.#bytes.length }, MODEL_GRAPH, (graph) =>
      this.#messages(graph, GRAPH_INPUT, (value) => {
        if (inputs.length === INPUTS_MAX)
          throw this.#tooMuch(
            `more than ${INPUTS_MAX} inputs`,
            'export it with its weights as initializers, not as inputs',
          );
        inputs.push(this.#input(value));
      }),
    );
    return inputs;
  }

  #input(value: Span): NetworkInput {
    const name = this.#last(value, VALUE_NAME) ?? { from: 0, to: 0 };
    const length = name.to - name.from;
    if (length > NAME_BYTES_MAX)
      throw this.#tooMuch(`an input whose name has ${length} bytes, ${NAME_BYTES_MAX} at most are read`);
    const type = this.#last(value, VALUE_TYPE);
    const tensor = type && this.#last(type, TYPE_TENSOR);
    const element = tensor ? (this.#number(tensor, TENSOR_ELEMENT) ?? 0) : 0;
    const shape = tensor && this.#last(tensor, TENSOR_SHAPE);
    return {
      name: new TextDecoder().decode(this.#bytes.subarray(name.from, name.to)),
      type: TYPES[element] ?? `type ${element}`,
      shape: shape && this.#axes(shape),
    };
  }

  #axes(shape: Span): readonly (number | undefined)[] {
    const axes: (number | undefined)[] = [];
    this.#messages(shape, SHAPE_AXIS, (axis) => {
      if (axes.length === AXES_MAX) throw this.#tooMuch(`an input with more than ${AXES_MAX} axes`);
      axes.push(this.#number(axis, AXIS_SIZE));
    });
    return axes;
  }

  /** The contents of each field `wanted` that holds a message or text. */
  #messages(within: Span, wanted: number, take: (content: Span) => void): void {
    this.#walk(within, wanted, take, () => {});
  }

  #last(within: Span, wanted: number): Span | undefined {
    let last: Span | undefined;
    this.#messages(within, wanted, (content) => {
      last = content;
    });
    return last;
  }

  /** The last number of that field. */
  #number(within: Span, wanted: number): number | undefined {
    let found: number | undefined;
    this.#walk(
      within,
      wanted,
      () => {},
      (value) => {
        found = value;
      },
    );
    return found;
  }

  /** The fields of one message. Throws a RangeError where the bytes are no message. */
  #walk(
    { from, to }: Span,
    wanted: number,
    onContent: (content: Span) => void,
    onNumber: (value: number) => void,
  ): void {
    this.#at = from;
    while (this.#at < to) {
      if (++this.#fields > FIELDS_MAX) throw this.#tooMuch(`more than ${FIELDS_MAX} fields`);
      const key = this.#varint(to);
      const kind = key % 8;
      const isWanted = Math.floor(key / 8) === wanted;
      if (kind === 0) {
        const value = this.#varint(to);
        if (isWanted) onNumber(value);
        continue;
      }
      const length = kind === 2 ? this.#varint(to) : kind === 1 ? 8 : kind === 5 ? 4 : Number.NaN;
      const begins = this.#at;
      const ends = begins + length;
      if (!(ends <= to)) throw new RangeError('it ends within a field');
      if (kind === 2 && isWanted) onContent({ from: begins, to: ends });
      // `onContent` may have moved the position.
      this.#at = ends;
    }
  }

  #varint(to: number): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      if (this.#at >= to || scale > 2 ** 63) throw new RangeError('it ends within a number');
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  #tooMuch(message: string, hint = 'is it the network that it should be?'): EdgeError {
    return new EdgeError('model.unavailable', {
      operation: 'load policy',
      subject: this.#path,
      message: `${this.#path}: the network has ${message}`,
      hint,
    });
  }
}
