/**
 * JSON of what is inside: bigint as decimal text, bytes as base64, and the numbers that JSON lacks by name
 * instead of a silent null.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, replace) ?? 'null';
}

function replace(this: unknown, key: string, value: unknown): unknown {
  // Buffer and Date have their own toJSON, so look at what was there before it ran.
  const raw = (this as Record<string, unknown>)[key];
  if (typeof raw === 'bigint') return raw.toString(10);
  if (typeof raw === 'number' && !Number.isFinite(raw)) return String(raw);
  if (ArrayBuffer.isView(raw)) {
    return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('base64');
  }
  return value;
}
