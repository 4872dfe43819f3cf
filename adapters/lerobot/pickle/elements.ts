import { refused } from './budget.ts';
import { ELEMENT_BYTES, type ElementKind, type NdArray, type TorchTensor } from './values.ts';

/** The elements of an array or tensor, row-major, copied out of the pickle. */

type Layout = {
  readonly kind: ElementKind;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
  readonly bytes: Uint8Array;
};

/** As float32; whole numbers beyond 2^24 lose bits, as they do in torch. */
export function readFloats(value: NdArray | TorchTensor): Float32Array {
  const layout = layoutOf(value);
  const { bytes, kind } = layout;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = READERS[kind];
  const width = ELEMENT_BYTES[kind];
  const out = new Float32Array(layout.shape.reduce((a, b) => a * b, 1));
  let next = 0;
  walk(layout, (element) => {
    out[next++] = read(view, element * width);
  });
  return out;
}

/** As bytes; for images only, whose elements are u1. */
export function readPixels(value: NdArray | TorchTensor): Uint8Array {
  const layout = layoutOf(value);
  const { bytes, kind, shape } = layout;
  if (kind !== 'u1') throw refused(`an image of ${kind}, u1 expected`);
  const count = shape.reduce((a, b) => a * b, 1);
  if (isContiguous(layout)) return bytes.slice(layout.offset, layout.offset + count);
  const out = new Uint8Array(count);
  let next = 0;
  walk(layout, (element) => {
    out[next++] = bytes[element]!;
  });
  return out;
}

function layoutOf(value: NdArray | TorchTensor): Layout {
  if (value.py === 'tensor') {
    const { storage, offset, shape, strides } = value;
    return { kind: storage.kind, shape, strides, offset, bytes: storage.bytes ?? new Uint8Array(0) };
  }
  if (!value.ready) throw refused('an array that never got its elements');
  const { kind, shape, strides, bytes } = value;
  return { kind, shape, strides, offset: 0, bytes };
}

function isContiguous({ shape, strides }: Layout): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}

/** Gives the place of each element in row-major order, the innermost axis at once. */
function walk({ shape, strides, offset }: Layout, visit: (element: number) => void): void {
  if (shape.some((size) => size === 0)) return;
  const inner = shape.length - 1;
  if (inner < 0) {
    visit(offset);
    return;
  }
  const index = new Array<number>(inner).fill(0);
  let base = offset;
  for (;;) {
    for (let i = 0, at = base; i < shape[inner]!; i++, at += strides[inner]!) visit(at);
    let axis = inner - 1;
    for (; axis >= 0; axis--) {
      index[axis]! += 1;
      base += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      base -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

const READERS: Readonly<Record<ElementKind, (view: DataView, at: number) => number>> = {
  f2: (view, at) => half(view.getUint16(at, true)),
  f4: (view, at) => view.getFloat32(at, true),
  f8: (view, at) => view.getFloat64(at, true),
  i1: (view, at) => view.getInt8(at),
  i2: (view, at) => view.getInt16(at, true),
  i4: (view, at) => view.getInt32(at, true),
  i8: (view, at) => Number(view.getBigInt64(at, true)),
  u1: (view, at) => view.getUint8(at),
  u2: (view, at) => view.getUint16(at, true),
  u4: (view, at) => view.getUint32(at, true),
  u8: (view, at) => Number(view.getBigUint64(at, true)),
  bf16: (view, at) => upper(view.getUint16(at, true)),
  b1: (view, at) => (view.getUint8(at) === 0 ? 0 : 1),
};

const WORD = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
function upper(bits: number): number {
  WORD.setUint32(0, bits * 2 ** 16);
  return WORD.getFloat32(0);
}

/** IEEE 754 binary16. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
