/** Approximate overhead of a value in a message. */
const FRAME_BYTES = 4;

/**
 * About the bytes that `value` takes in a message, without writing it: it walks over the value; bytes and
 * texts count by their length. It ends above `most`, so an endless or circular value costs no more than a large one.
 */
export function messageBytes(value: unknown, most: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && bytes <= most) {
    const one = open.pop();
    bytes += FRAME_BYTES + flatBytes(one);
    if (!isNested(one)) continue;
    const items = itemsOf(one);
    // Each item takes a byte at least; a long list of them is not even copied.
    if (bytes + items.length > most) return bytes + items.length;
    for (const item of items) {
      if (isNested(item)) open.push(item);
      else bytes += FRAME_BYTES + flatBytes(item);
    }
  }
  return bytes;
}

function flatBytes(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value === 'number' || typeof value === 'bigint') return 8;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  return 0;
}

function isNested(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    !(value instanceof ArrayBuffer)
  );
}

function itemsOf(value: object): readonly unknown[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return [...value.entries()].flat();
  if (value instanceof Set) return [...value];
  return Object.entries(value).flat();
}
