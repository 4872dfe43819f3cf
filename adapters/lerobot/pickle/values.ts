/**
 * What a pickle becomes: plain values that nothing was executed for. Numbers are `number`, whole numbers beyond
 * 2^53 `bigint`, text `string`, bytes `Uint8Array` views of the input, lists `PyList`, tuples `PyTuple`, dicts
 * `PyDict`, everything with a class `PyObject`, `NdArray` or `TorchTensor`.
 */
export type PyValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PyList
  | PyTuple
  | PyDict
  | PyGlobal
  | PyObject
  | NdArray
  | NdType
  | TorchTensor
  | TorchStorage;

export type PyList = { readonly py: 'list'; depth: number; readonly items: PyValue[] };
export type PyTuple = { readonly py: 'tuple'; readonly depth: number; readonly items: readonly PyValue[] };
export type PyKey = string | number | bigint | boolean | null;
export type PyDict = { readonly py: 'dict'; depth: number; readonly items: Map<PyKey, PyValue> };
/** A name of the allow list, as a value. It is only a name. */
export type PyGlobal = { readonly py: 'global'; readonly module: string; readonly name: string };
/** An instance of a class of the allow list: its fields, nothing of its code. */
export type PyObject = {
  readonly py: 'object';
  readonly type: PyGlobal;
  depth: number;
  readonly fields: Map<string, PyValue>;
};

export type ElementKind =
  | 'f2'
  | 'f4'
  | 'f8'
  | 'i1'
  | 'i2'
  | 'i4'
  | 'i8'
  | 'u1'
  | 'u2'
  | 'u4'
  | 'u8'
  | 'b1'
  | 'bf16';
export const ELEMENT_BYTES: Readonly<Record<ElementKind, number>> = {
  f2: 2,
  f4: 4,
  f8: 8,
  i1: 1,
  i2: 2,
  i4: 4,
  i8: 8,
  u1: 1,
  u2: 2,
  u4: 4,
  u8: 8,
  b1: 1,
  bf16: 2,
};

/** numpy.dtype; big-endian arrays exist on the wire in theory only, and are refused. */
export type NdType = { readonly py: 'dtype'; readonly kind: ElementKind };
/** Strides are in elements; the elements stay where they came, little-endian. */
export type NdArray = {
  readonly py: 'ndarray';
  kind: ElementKind;
  shape: readonly number[];
  strides: readonly number[];
  bytes: Uint8Array;
  /** A scalar of numpy is an array of rank 0. False until its state came. */
  ready: boolean;
};
export type TorchStorage = {
  readonly py: 'storage';
  readonly kind: ElementKind;
  readonly elements: number;
  /** Of a storage in a nested archive: set when its bytes are found behind the pickle. */
  bytes: Uint8Array | undefined;
};
export type TorchTensor = {
  readonly py: 'tensor';
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
};

export function isPy<K extends Extract<PyValue, { py: string }>['py']>(
  value: PyValue | undefined,
  kind: K,
): value is Extract<PyValue, { py: K }> {
  return typeof value === 'object' && value !== null && 'py' in value && value.py === kind;
}

export function depthOf(value: PyValue): number {
  return typeof value === 'object' && value !== null && 'depth' in value ? value.depth : 0;
}
