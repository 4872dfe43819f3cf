import { EdgeError, type ErrorCode } from '../../contract/core.ts';

/** Codes that the addon puts in brackets in front of its messages (`native/src/lib.rs`). */
const CODES: Readonly<Record<string, ErrorCode>> = {
  closed: 'zenoh.closed',
  config: 'config.invalid',
  busy: 'cell.overloaded',
};

/** Turns an error of the addon into a typed error. */
export function fromNative(thrown: unknown, operation: string, subject: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const match = /^\[([a-z]+)\] ([\s\S]*)$/.exec(text);
  const code = CODES[match?.[1] ?? ''] ?? 'zenoh.failed';
  return new EdgeError(code, { operation, subject, message: match?.[2] ?? text, cause: thrown });
}

export function closed(operation: string, subject: string): EdgeError {
  return new EdgeError('zenoh.closed', { operation, subject });
}
