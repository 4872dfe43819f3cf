import { malformed } from './malformed.ts';

/** Axes of one array; numpy itself stops at 64, tensors of policies at 5. */
const RANK_MAX = 16;

/** Bytes of one element, by kind and width as numpy writes them behind the byte order. */
const WIDTHS: Readonly<Record<string, number>> = {
  b1: 1,
  i1: 1,
  i2: 2,
  i4: 4,
  i8: 8,
  u1: 1,
  u2: 2,
  u4: 4,
  u8: 8,
  f2: 2,
  f4: 4,
  f8: 8,
};

/**
 * A dense array as numpy has it: `dtype` as `numpy.dtype.str` writes it (`<f4`, `|u1`, `<U12`), bytes row-major. It
 * is always consistent: the bytes are as many as shape and type need. `data` may be a view into a message.
 */
export class NumpyArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;

  private constructor(dtype: string, shape: readonly number[], data: Uint8Array) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  /** Throws `sample.malformed`: objects, records, unknown types, sizes that do not fit the bytes. */
  static of(dtype: unknown, shape: unknown, data: unknown): NumpyArray {
    if (typeof dtype !== 'string') throw malformed('an array without a type');
    const width = widthOf(dtype);
    if (width === undefined) throw malformed(`arrays of type ${dtype.slice(0, 16)} are not taken`);
    if (!Array.isArray(shape) || shape.length > RANK_MAX || !shape.every(isSize))
      throw malformed('an array whose shape is no list of sizes');
    if (!(data instanceof Uint8Array)) throw malformed('an array without bytes');
    const bytes = shape.reduce((product: number, size: number) => product * size, width);
    if (bytes !== data.byteLength)
      throw malformed(`an array ${dtype} [${shape.join(', ')}] with ${data.byteLength} bytes, not ${bytes}`);
    return new NumpyArray(dtype, shape as number[], data);
  }

  static float32(shape: readonly number[], values: Float32Array): NumpyArray {
    const data = LITTLE
      ? new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
      : swapped(values);
    return NumpyArray.of('<f4', [...shape], data);
  }

  static uint8(shape: readonly number[], data: Uint8Array): NumpyArray {
    return NumpyArray.of('|u1', [...shape], data);
  }

  /** A zero-dimensional array, as `numpy.float32(1)` travels. */
  static scalar(dtype: unknown, value: unknown): NumpyArray {
    if (typeof value !== 'number' && typeof value !== 'bigint' && typeof value !== 'boolean')
      throw malformed('a numpy scalar that is not a number');
    if (typeof dtype !== 'string' || widthOf(dtype) === undefined)
      throw malformed('a numpy scalar of no type');
    const data = new Uint8Array(8);
    new DataView(data.buffer).setFloat64(0, Number(value), true);
    return new NumpyArray('<f8', [], data);
  }

  get length(): number {
    return this.shape.reduce((product, size) => product * size, 1);
  }

  /** It is text (`<U12`): `texts` reads it, `floats` does not. */
  get isText(): boolean {
    return this.dtype[1] === 'U';
  }

  /** The numbers as float32, a copy. Throws `sample.malformed` for text. */
  floats(): Float32Array {
    const { dtype, data } = this;
    if (this.isText) throw malformed(`numbers expected, found text (${dtype})`);
    if (dtype === '<f4' && LITTLE) return new Float32Array(Uint8Array.from(data).buffer);
    const kind = dtype.slice(1);
    const read = READERS[kind]!;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const width = WIDTHS[kind]!;
    const little = dtype[0] !== '>';
    return Float32Array.from({ length: this.length }, (_, i) => read(view, i * width, little));
  }

  /** Its bytes where it is an array of bytes (images); undefined otherwise. */
  bytes(): Uint8Array | undefined {
    return this.dtype.slice(1) === 'u1' ? this.data : undefined;
  }

  /** Of an array of text, UTF-32 filled up with zeros. Throws `sample.malformed` for numbers. */
  texts(): string[] {
    if (!this.isText) throw malformed(`text expected, found numbers (${this.dtype})`);
    const view = new DataView(this.data.buffer, this.data.byteOffset, this.data.byteLength);
    const chars = Number(this.dtype.slice(2));
    const little = this.dtype[0] !== '>';
    return Array.from({ length: this.length }, (_, i) => {
      let text = '';
      for (let c = 0; c < chars; c++) {
        const point = view.getUint32((i * chars + c) * 4, little);
        if (point > 0x10ffff) throw malformed('a text with a character that does not exist');
        if (point !== 0) text += String.fromCodePoint(point);
      }
      return text;
    });
  }
}

function widthOf(dtype: string): number | undefined {
  const text = /^[<>]U([1-9][0-9]{0,3})$/.exec(dtype);
  if (text) return Number(text[1]) * 4;
  return /^[<>|=]/.test(dtype) && Object.hasOwn(WIDTHS, dtype.slice(1)) ? WIDTHS[dtype.slice(1)] : undefined;
}

type Read = (view: DataView, at: number, little: boolean) => number;
const READERS: Readonly<Record<string, Read>> = {
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at, little) => view.getInt16(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  f2: (view, at, little) => half(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
};

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function isSize(size: unknown): boolean {
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0;
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function swapped(values: Float32Array): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat32(i * 4, value, true);
  return bytes;
}
