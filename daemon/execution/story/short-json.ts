import { clip } from './event-text.ts';

const TEXT_MAX = 512;
const ITEMS_MAX = 32;

/** Long texts and lists are cut, what lies deeper is left out. */
export function less(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return clip(value, TEXT_MAX);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return null;
  if (Array.isArray(value)) return value.slice(0, ITEMS_MAX).map((one) => less(one, depth - 1));
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, ITEMS_MAX)
      .map(([key, one]) => [clip(key, TEXT_MAX), less(one, depth - 1)]),
  );
}

/**
 * A message as JSON of at most `bytesMax` bytes: 64-bit integers as text, bytes and number arrays as lists. A larger one is
 * `{cut: true, bytes, value}` with its first fields and items, and the size of the whole.
 */
export function shortJson(message: unknown, bytesMax: number): string {
  const whole = JSON.stringify(message ?? null, plain);
  const bytes = Buffer.byteLength(whole);
  if (bytes <= bytesMax) return whole;
  const value: unknown = JSON.parse(whole);
  for (const depth of [7, 5, 3, 2, 1]) {
    const cut = JSON.stringify({ cut: true, bytes, value: less(value, depth) });
    if (Buffer.byteLength(cut) <= bytesMax) return cut;
  }
  return JSON.stringify({ cut: true, bytes });
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  return ArrayBuffer.isView(value) && !(value instanceof DataView)
    ? Array.from(value as unknown as Iterable<unknown>)
    : value;
}
