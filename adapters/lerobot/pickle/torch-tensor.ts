import { refused } from './budget.ts';
import { ByteSource } from './byte-source.ts';
import { countOf, sizesOf } from './ndarray.ts';
import type { ReadContext } from './read-context.ts';
import { STORAGE_KINDS, TORCH_MAGIC, TORCH_PROTOCOL } from './torch-format.ts';
import {
  ELEMENT_BYTES,
  type ElementKind,
  isPy,
  type PyGlobal,
  type PyValue,
  type TorchStorage,
  type TorchTensor,
} from './values.ts';

/**
 * Tensors of torch in a plain pickle: `_rebuild_tensor_v2(storage, offset, size, stride, ...)`, where the storage is
 * `_load_from_bytes` of an archive in torch's older format: five pickles (magic, version, system, the storage as a
 * persistent id, the keys), then per key its length and elements.
 */

export function rebuildTensor(args: readonly PyValue[], { budget }: ReadContext, at: number): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (args.length < 4 || args.length > 7 || !isPy(storage, 'storage'))
    throw refused('a tensor with odd arguments', at);
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0)
    throw refused('a tensor with an odd offset', at);
  const shape = sizesOf(size, at);
  const strides = sizesOf(stride, at);
  if (shape.length !== strides.length) throw refused('a tensor with a stride too few or too many', at);
  const count = countOf(shape, budget, at);
  const last = shape.reduce((sum, length, axis) => sum + (length - 1) * strides[axis]!, offset);
  if (count > 0 && last >= storage.elements)
    throw refused(`a tensor that ends at element ${last} of ${storage.elements}`, at);
  return { py: 'tensor', storage, offset, shape, strides };
}

/** `_load_from_bytes(archive)`. The archive's pickles are read under the same budget, by the same rules. */
export function loadStorage(args: readonly PyValue[], context: ReadContext, at: number): TorchStorage {
  const [archive] = args;
  if (args.length !== 1 || !(archive instanceof Uint8Array)) throw refused('a storage that is no bytes', at);
  const source = new ByteSource(archive);
  const plain = () => context.nested(source);
  if (plain() !== TORCH_MAGIC || plain() !== TORCH_PROTOCOL)
    throw refused('a storage that is not an archive of torch', at);
  plain(); // of the writer's machine: byte order and sizes, checked by the lengths below
  const found = new Map<string, TorchStorage>();
  const storage = context.nested(source, (id) => persistent(id, found, at));
  const keys = plain();
  if (!isPy(storage, 'storage') || !isPy(keys, 'list')) throw refused('an archive of something else', at);
  for (const key of keys.items) fillStorage(source, typeof key === 'string' ? found.get(key) : undefined, at);
  if (storage.bytes === undefined) throw refused('a storage without elements', at);
  return storage;
}

/** ('storage', type, key, location, elements, view). The location is where it was: here it is memory. */
function persistent(id: PyValue, found: Map<string, TorchStorage>, at: number): TorchStorage {
  const [tag, type, key, , elements, view] = isPy(id, 'tuple') ? id.items : [];
  const kind = isPy(type, 'global') ? kindOf(type) : undefined;
  const isCount = typeof elements === 'number' && Number.isSafeInteger(elements) && elements >= 0;
  if (tag !== 'storage' || !kind || typeof key !== 'string' || !isCount || (view ?? null) !== null)
    throw refused('a storage with an odd id', at);
  const storage: TorchStorage = found.get(key) ?? { py: 'storage', kind, elements, bytes: undefined };
  found.set(key, storage);
  return storage;
}

function kindOf(type: PyGlobal): ElementKind | undefined {
  return type.module === 'torch' && Object.hasOwn(STORAGE_KINDS, type.name)
    ? STORAGE_KINDS[type.name]
    : undefined;
}

function fillStorage(source: ByteSource, storage: TorchStorage | undefined, at: number): void {
  const length = source.u64();
  if (!storage || storage.bytes || length !== storage.elements)
    throw refused('a storage of another length than it says', at);
  storage.bytes = source.take(length * ELEMENT_BYTES[storage.kind]);
}
