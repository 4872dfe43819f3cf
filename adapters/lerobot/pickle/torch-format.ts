import type { ElementKind } from './values.ts';

/** What torch writes into its older archives, which plain pickles of tensors still hold. */

export const STORAGE_KINDS: Readonly<Record<string, ElementKind>> = {
  FloatStorage: 'f4',
  DoubleStorage: 'f8',
  HalfStorage: 'f2',
  BFloat16Storage: 'bf16',
  LongStorage: 'i8',
  IntStorage: 'i4',
  ShortStorage: 'i2',
  CharStorage: 'i1',
  ByteStorage: 'u1',
  BoolStorage: 'b1',
};

export const TORCH_MAGIC = 0x1950a86a20f9469cfc6cn;
export const TORCH_PROTOCOL = 1001;
