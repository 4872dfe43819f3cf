import { EdgeError } from './edge-error.ts';

/**
 * JSON with sorted keys and no spaces (RFC 8785 for the values we use): the bytes that are hashed.
 * Refuses what JSON would silently change: NaN, infinities, bigint, functions and undefined in arrays.
 */
export function canonicalJson(value: unknown): string {
  return write(value, '');
}

function write(value: unknown, path: string): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refuse(path, String(value));
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item, i) => write(item, `${path}/${i}`)).join(',')}]`;
  if (typeof value === 'object') {
    const record = value as Record<string, unknown>;
    const parts: string[] = [];
    for (const key of Object.keys(record).sort()) {
      if (record[key] === undefined) continue;
      parts.push(`${JSON.stringify(key)}:${write(record[key], `${path}/${key}`)}`);
    }
    return `{${parts.join(',')}}`;
  }
  throw refuse(path, typeof value);
}

function refuse(path: string, found: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'canonical-json',
    subject: path === '' ? '/' : path,
    message: `${path === '' ? '/' : path}: a finite JSON value expected, found ${found}`,
  });
}
