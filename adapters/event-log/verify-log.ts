import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type CellName, EdgeError, type LogVerdict } from '../../contract/core.ts';
import { ChainVerifier } from './chain-verifier.ts';
import { checkpointsOf, cutOf, isCheckpointSigned } from './checkpoint.ts';
import { edgeError } from './edge-error.ts';
import { type EventRow, eventOf } from './event-row.ts';
import { checkFormat } from './log-schema.ts';
import type { WholeRow } from './repeats.ts';
import { wholeRows } from './whole-rows.ts';

/** Rows checked before the event loop gets a turn: about 20 ms. */
const SLICE_ROWS = 1_000;

/**
 * Recomputes the chain of a log file from its first row to its last; works while a daemon writes it, and
 * judges what was durable when it arrived at the end. Throws `log.failed` (no such file, unreadable) or
 * `log.damaged` (no database); a broken chain is a verdict that names the first bad row.
 */
export function verifyLogFile(path: string): LogVerdict {
  const slices = verifySlices(path);
  for (;;) {
    const step = slices.next();
    if (step.done) return step.value;
  }
}

/** The same, giving way to other work between slices. */
export async function verifyInSlices(path: string): Promise<LogVerdict> {
  const slices = verifySlices(path);
  for (;;) {
    const step = slices.next();
    if (step.done) return step.value;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

function* verifySlices(path: string): Generator<void, LogVerdict> {
  if (!existsSync(path)) {
    throw new EdgeError('log.failed', {
      operation: 'log.verify',
      subject: path,
      message: `${path}: no such file`,
      hint: 'the logs are <data directory>/events/<cell>.db',
      retryable: false,
    });
  }
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
    const chain = new ChainVerifier(checkFormat(database, path));
    yield* addRows(database, chain);
    return chain.verdict();
  } catch (thrown) {
    throw edgeError(thrown, 'log.verify', path);
  } finally {
    database?.close();
  }
}

function* addRows(database: DatabaseSync, chain: ChainVerifier): Generator<void> {
  const select = database.prepare('SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?');
  const { cell } = chain.verdict();
  const epoch = String(database.prepare('SELECT event_id FROM events WHERE seq = 1').get()?.['event_id']);
  for (const row of checkpointsOf(database)) {
    if (!isCheckpointSigned(row, cell, epoch))
      chain.refuse(row.through, `the checkpoint at ${row.through} is not signed by its key`);
    chain.cutAt(cutOf(row));
  }
  const wholeRow = wholeRows(database);
  for (let after = 0; !chain.faulty; ) {
    // Rows refer to others: a cutter may remove both, but not between these two reads.
    database.exec('SAVEPOINT slice');
    const rows = select.all(after, SLICE_ROWS) as EventRow[];
    for (const row of rows) {
      addRow(chain, row, cell, wholeRow);
      after = row.seq;
    }
    database.exec('RELEASE slice');
    if (rows.length < SLICE_ROWS) return;
    yield;
  }
}

function addRow(chain: ChainVerifier, row: EventRow, cell: CellName, wholeRow: WholeRow): void {
  try {
    chain.add(eventOf(row, cell, wholeRow));
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    chain.refuse(row.seq, message);
  }
}
