import { type Budget, refused } from './budget.ts';
import { ELEMENT_BYTES, type ElementKind, isPy, type NdArray, type NdType, type PyValue } from './values.ts';

/** Arrays, scalars and dtypes of numpy, from what its pickles hold. Elements stay where they came. */

const RANK_MAX = 8;

/** numpy.dtype('f4', False, True); the byte order may stand before it. */
export function makeDtype(args: readonly PyValue[], at: number): NdType {
  const [name] = args;
  const found = typeof name === 'string' ? /^[<|=]?([fiub][1248])$/.exec(name)?.[1] : undefined;
  if (found === undefined || !Object.hasOwn(ELEMENT_BYTES, found))
    throw refused('a dtype that is neither integer, float nor boolean', at);
  return { py: 'dtype', kind: found as ElementKind };
}

/** numpy's `_reconstruct(ndarray, (0,), b'b')`: an array whose state comes later. */
export function emptyArray(args: readonly PyValue[], at: number): NdArray {
  const [type] = args;
  if (!isPy(type, 'global') || type.name !== 'ndarray')
    throw refused('an array of a class other than numpy.ndarray', at);
  return { py: 'ndarray', kind: 'u1', shape: [0], strides: [1], bytes: new Uint8Array(0), ready: false };
}

/** The state (version, shape, dtype, is_fortran, bytes). */
export function buildArray(target: NdArray, state: PyValue, budget: Budget, at: number): true {
  if (target.ready) throw refused('an array with a second state', at);
  const parts = isPy(state, 'tuple') ? state.items : [];
  const [, shape, dtype, fortran, bytes] = parts;
  if (parts.length !== 5 || !isPy(dtype, 'dtype') || typeof fortran !== 'boolean')
    throw refused('an array with an odd state', at);
  fill(target, dtype.kind, sizesOf(shape, at), fortran, bytes, budget, at);
  return true;
}

/** numpy 2: `_frombuffer(bytes, dtype, shape, order)`. */
export function frombuffer(args: readonly PyValue[], budget: Budget, at: number): NdArray {
  const [bytes, dtype, shape, order] = args;
  if (args.length < 4 || !isPy(dtype, 'dtype') || (order !== 'C' && order !== 'F'))
    throw refused('an array with odd arguments', at);
  const array: NdArray = { py: 'ndarray', kind: 'u1', shape: [0], strides: [1], bytes: NONE, ready: false };
  fill(array, dtype.kind, sizesOf(shape, at), order === 'F', bytes, budget, at);
  return array;
}

/** numpy's `scalar(dtype, bytes)`: an array of rank 0. */
export function numpyScalar(args: readonly PyValue[], budget: Budget, at: number): NdArray {
  const [dtype, bytes] = args;
  if (args.length !== 2 || !isPy(dtype, 'dtype')) throw refused('a scalar with odd arguments', at);
  const array: NdArray = { py: 'ndarray', kind: 'u1', shape: [], strides: [], bytes: NONE, ready: false };
  fill(array, dtype.kind, [], false, bytes, budget, at);
  return array;
}

const NONE = new Uint8Array(0);

function fill(
  array: NdArray,
  kind: ElementKind,
  shape: readonly number[],
  fortran: boolean,
  bytes: PyValue | undefined,
  budget: Budget,
  at: number,
): void {
  if (!(bytes instanceof Uint8Array)) throw refused('an array whose elements are not bytes', at);
  const count = countOf(shape, budget, at);
  if (bytes.byteLength !== count * ELEMENT_BYTES[kind])
    throw refused(`an array of ${count} ${kind} does not fit ${bytes.byteLength} bytes`, at);
  array.kind = kind;
  array.shape = shape;
  array.strides = fortran ? contiguous([...shape].reverse()).reverse() : contiguous(shape);
  array.bytes = bytes;
  array.ready = true;
}

/** A tuple of sizes. */
export function sizesOf(value: PyValue | undefined, at: number, least = 0): number[] {
  if (!isPy(value, 'tuple') || value.items.length > RANK_MAX) throw refused('an invalid shape', at);
  return value.items.map((size) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < least)
      throw refused('an invalid size in a shape', at);
    return size;
  });
}

/** Elements of a shape. Throws when there are more than allowed, before anything is made of them. */
export function countOf(shape: readonly number[], budget: Budget, at: number): number {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count > budget.limits.elementsMax)
    throw refused(`${count} elements in one array, ${budget.limits.elementsMax} at most`, at);
  return count;
}

function contiguous(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}
