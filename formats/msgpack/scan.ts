import { malformed } from './malformed.ts';

export type MsgpackLimits = {
  /** Containers within containers. A decoder that follows them blindly grows its stack with each byte. */
  readonly depth: number;
  /** Values of all kinds together, keys included. */
  readonly values: number;
  /** Keys of one map. */
  readonly keys: number;
};

export const MSGPACK_LIMITS: MsgpackLimits = { depth: 32, values: 1_100_000, keys: 256 };

/**
 * Walks over a message without making anything of it. The vendor's decoder allocates a list as long as its header
 * says before it has seen an item: a few bytes of nested headers would cost gigabytes. After this walk every size
 * is known to be backed by bytes. Throws `sample.malformed`: cut short, trailing bytes, extension types, limits.
 */
export function scan(bytes: Uint8Array, limits: MsgpackLimits): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** Values that are still to come, of each open container. */
  const open: number[] = [1];
  let at = 0;
  let values = 0;

  const need = (count: number) => {
    if (count > bytes.length - at)
      throw malformed(`cut short: ${count} more bytes expected at ${at} of ${bytes.length}`);
  };
  const size = (width: 1 | 2 | 4) => {
    need(width);
    const value = width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
    at += width;
    return value;
  };
  const skip = (count: number) => {
    need(count);
    at += count;
  };
  const enter = (items: number, keys = 0) => {
    if (keys > limits.keys) throw malformed(`a map of ${keys} keys, the limit is ${limits.keys}`);
    need(items);
    if (items === 0) return;
    if (open.length > limits.depth) throw malformed(`more than ${limits.depth} containers in one another`);
    open.push(items);
  };

  while (open.length > 0) {
    if (open.at(-1) === 0) {
      open.pop();
      continue;
    }
    open[open.length - 1]! -= 1;
    values += 1;
    if (values > limits.values) throw malformed(`more than ${limits.values} values`);
    need(1);
    const head = view.getUint8(at);
    at += 1;
    if (head < 0x80 || head >= 0xe0) continue;
    if (head < 0x90) enter((head & 0x0f) * 2, head & 0x0f);
    else if (head < 0xa0) enter(head & 0x0f);
    else if (head < 0xc0) skip(head & 0x1f);
    else if (head === 0xdc) enter(size(2));
    else if (head === 0xdd) enter(size(4));
    else if (head === 0xde || head === 0xdf) {
      const keys = size(head === 0xde ? 2 : 4);
      enter(keys * 2, keys);
    } else {
      const length = LENGTHS[head];
      if (length === undefined) {
        const kind = head === 0xc1 ? 'a byte that MessagePack never uses' : 'an extension type';
        throw malformed(`${kind} (0x${head.toString(16)}) at ${at - 1}`);
      }
      skip(length >= 0 ? length : size(-length as 1 | 2 | 4));
    }
  }
  if (at !== bytes.length) throw malformed(`${bytes.length - at} bytes after the end of the value`);
}

/** Bytes after the head: fixed, or, where negative, the width of the length that comes first. */
const LENGTHS: Readonly<Record<number, number>> = {
  192: 0, // nil
  194: 0, // false
  195: 0, // true
  196: -1, // bin
  197: -2,
  198: -4,
  202: 4, // float
  203: 8,
  204: 1, // uint
  205: 2,
  206: 4,
  207: 8,
  208: 1, // int
  209: 2,
  210: 4,
  211: 8,
  217: -1, // str
  218: -2,
  219: -4,
};
