import { canonicalJson, EdgeError, parseJson } from '../../../contract/index.ts';

const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
const DEPTH_MAX = 32;
const VALUES_MAX = 100_000;

/**
 * The path and problem of the first thing in `value` that is not plain, finite, bounded JSON, or undefined.
 * Works without recursion, so nesting or cycles cannot exhaust the stack.
 */
export function unsafeJson(value: unknown): string | undefined {
  const open: { readonly value: unknown; readonly path: string; readonly depth: number }[] = [
    { value, path: '', depth: 0 },
  ];
  let seen = 0;
  for (let next = open.pop(); next; next = open.pop()) {
    if (++seen > VALUES_MAX) return `/: more than ${VALUES_MAX} values`;
    const problem = faultOf(next.value, next.depth);
    if (problem !== undefined) return `${next.path === '' ? '/' : next.path}: ${problem}`;
    if (typeof next.value !== 'object' || next.value === null) continue;
    for (const key of Reflect.ownKeys(next.value)) {
      if (Array.isArray(next.value) && key === 'length') continue;
      const path = `${next.path}/${String(key).slice(0, 64)}`;
      if (typeof key === 'symbol' || FORBIDDEN_KEYS.has(key)) return `${path}: this name is not allowed`;
      open.push({ value: (next.value as Record<string, unknown>)[key], path, depth: next.depth + 1 });
    }
  }
  return undefined;
}

function faultOf(value: unknown, depth: number): string | undefined {
  if (depth > DEPTH_MAX) return `nested deeper than ${DEPTH_MAX}`;
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : `must be a finite number, found ${value}`;
    case 'object': {
      if (value === null || Array.isArray(value)) return undefined;
      const prototype: unknown = Object.getPrototypeOf(value);
      return prototype === Object.prototype || prototype === null ? undefined : 'must be plain JSON';
    }
    default:
      return `must be JSON, found ${typeof value}`;
  }
}

/** A clean copy that shares nothing with `value`; refuses what is unsafe or longer than `bytesMax` in UTF-8. */
export function safeCopy(value: unknown, bytesMax: number, subject: string): unknown {
  const problem = unsafeJson(value);
  if (problem !== undefined) throw refusal(problem, subject);
  const text = canonicalJson(value);
  const bytes = Buffer.byteLength(text);
  if (bytes > bytesMax) throw refusal(`/: ${bytes} bytes, at most ${bytesMax} are allowed`, subject);
  return parseJson(text) as unknown;
}

function refusal(message: string, subject: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'check', subject, message });
}
