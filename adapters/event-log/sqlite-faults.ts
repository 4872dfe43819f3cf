import { LogFault } from './log-fault.ts';

/** Primary result codes of SQLite that need an answer of their own (sqlite.org/rescode.html). */
const BUSY = 5;
const LOCKED = 6;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

function primaryCode(thrown: unknown): number | undefined {
  const code = (thrown as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : undefined;
}

export function isBusy(thrown: unknown): boolean {
  const code = primaryCode(thrown);
  return code === BUSY || code === LOCKED;
}

export function isDamage(thrown: unknown): boolean {
  const code = primaryCode(thrown);
  return code === CORRUPT || code === NOT_A_DATABASE;
}

/** What an operator has to know about a file that cannot be trusted. Nothing is deleted or overwritten. */
export function damaged(path: string, operation: string, message: string, cause?: unknown): LogFault {
  const hint =
    'copy the file if you need its rows, then move it (with its -wal file) aside: ' +
    'the cell starts a new log with a new epoch, and central keeps what it already has';
  return new LogFault('log.damaged', operation, path, `${path}: ${message}`, hint, cause);
}

/** Every fault of SQLite or of the file system as an `EdgeError`, naming the file. */
export function sqliteFault(thrown: unknown, operation: string, path: string): LogFault {
  if (thrown instanceof LogFault) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (isDamage(thrown)) return damaged(path, operation, message, thrown);
  const hint = hintFor(primaryCode(thrown) ?? nodeCode(thrown));
  return new LogFault('log.failed', operation, path, `${path}: ${message}`, hint, thrown);
}

function nodeCode(thrown: unknown): number | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return FULL;
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOENT') return CANNOT_OPEN;
  return undefined;
}

function hintFor(code: number | undefined): string {
  if (code === FULL) return 'the disk is full: free some space; the log then continues automatically';
  if (code === CANNOT_OPEN) return 'check that the directory exists and that this user can write to it';
  if (code === BUSY || code === LOCKED) return 'another program holds the file; close it';
  return 'check the disk (dmesg); the log tries again at the next append';
}
