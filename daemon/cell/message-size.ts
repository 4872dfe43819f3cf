/** What stands around a value in a message, about. */
const FRAME_BYTES = 4;

/**
 * About the bytes that `value` takes in a message, without writing it: a walk over what is there, in which bytes and
 * texts count by their length. It ends above `most`, so an endless or circular value costs no more than a large one.
 */
export function messageBytes(value: unknown, most: number): number {
  let bytes = 0;
  const open: unknown[] = [value];
  const count = (item: unknown): boolean => {
    if (isNested(item)) open.push(item);
    else bytes += FRAME_BYTES + flatBytes(item);
    return bytes + open.length <= most;
  };
  while (open.length > 0 && bytes + open.length <= most) {
    const one = open.pop();
    bytes += FRAME_BYTES + flatBytes(one);
    if (!isNested(one)) continue;
    // Each item takes a byte at least; a long list of them is not even looked at.
    const items = lengthOf(one);
    if (bytes + items > most) return bytes + items;
    eachItem(one, count);
  }
  return bytes + open.length;
}

function flatBytes(value: unknown): number {
  if (typeof value === 'string') return textBytes(value);
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

/**
 * As texts go over the border: a byte for each character where all are Latin-1, two for each where one is wider. So a text
 * of a million Chinese characters is two million bytes, and costs no copy to be counted.
 */
function textBytes(text: string): number {
  return WIDE.test(text) ? 2 * text.length : text.length;
}

const WIDE = /[^\u0000-\u00ff]/;

/** Of what knows it without being walked through. */
function lengthOf(value: object): number {
  if (Array.isArray(value)) return value.length;
  return value instanceof Map || value instanceof Set ? value.size : 0;
}

/** Gives `count` the keys and values of `value` until it says no. Nothing is copied: an object may have a million keys. */
function eachItem(value: object, count: (item: unknown) => boolean): void {
  if (Array.isArray(value)) value.every(count);
  else if (value instanceof Map) {
    for (const [key, item] of value) if (!count(key) || !count(item)) return;
  } else if (value instanceof Set) {
    for (const item of value) if (!count(item)) return;
  } else
    for (const key in value)
      if (Object.hasOwn(value, key) && (!count(key) || !count((value as Record<string, unknown>)[key])))
        return;
}
