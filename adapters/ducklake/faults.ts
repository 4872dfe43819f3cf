import { EdgeError } from '../../contract/core.ts';

/** Characters of a message of the engine. */
const MESSAGE_MAX = 4_096;
const OUT_OF_MEMORY = /out of memory/i;
/** What the engine says of a statement that cannot be answered as it is written. */
const WRONG_STATEMENT = /^(Catalog|Binder|Parser|Syntax|Conversion|Out of Range) Error/;

export function isOutOfMemory(thrown: unknown): boolean {
  return thrown instanceof EdgeError && OUT_OF_MEMORY.test(thrown.message);
}

/** An error of the engine as `lake.failed` with the engine's message. */
export function lakeFailed(thrown: unknown, operation: string, subject: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  // A message may quote a value of any length.
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, MESSAGE_MAX).trim();
  if (OUT_OF_MEMORY.test(message)) return outOfMemory(message, operation, subject, thrown);
  const hint = /no space left|disk is full|ENOSPC/i.test(message)
    ? 'the disk is full: free some space; the projection then continues automatically'
    : '';
  // Asked again, a wrong statement is as wrong; a projection may yet make what it lacks.
  const isWrong = operation === 'lake.query' && WRONG_STATEMENT.test(message);
  return new EdgeError('lake.failed', {
    ...{ operation, subject, message, hint, cause: thrown },
    ...(isWrong ? { retryable: false } : {}),
  });
}

export function lakeUnavailable(path: string, message: string, hint: string, cause?: unknown): EdgeError {
  return new EdgeError('lake.unavailable', { operation: 'lake.open', subject: path, message, hint, cause });
}

/** Faults that say nothing about the files: another opener, no room, no right, no memory. */
export function isPassing(thrown: unknown): boolean {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return /set lock on file|no space left|disk is full|permission|too many open files|out of memory/i.test(
    text,
  );
}

/** The engine's own advice is to change settings, which are locked: its first line only. */
function outOfMemory(message: string, operation: string, subject: string, cause: unknown): EdgeError {
  return new EdgeError('lake.failed', {
    ...{ operation, subject, cause },
    message: message.split('\n')[0] ?? '',
    hint: 'the statement needs more memory than the lakehouse has: select fewer rows or columns, aggregate, or select parts of long texts',
  });
}

/** A statement that found no memory while others were running. */
export function noMemory(sql: string, cause: unknown): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: 'lake.query',
    subject: sql.slice(0, 200),
    message: 'other queries use the memory of the lakehouse',
    hint: 'try again when they have ended',
    cause,
  });
}
