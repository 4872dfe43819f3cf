import { type CellName, EdgeError } from '../../contract/core.ts';
import { ChainVerifier } from './chain-verifier.ts';
import type { LogHead } from './log-store.ts';
import { SqliteEventReader } from './sqlite-event-reader.ts';

/** Rows whose chain is checked when a log is opened: enough to find a torn end, too few to delay a start. */
const TAIL_ROWS = 64;

/** Throws `log.tampered`, naming the row, unless the end of the chain holds. */
export function checkTail(path: string, cell: CellName, head: LogHead): void {
  const reader = new SqliteEventReader(path, cell);
  try {
    const events = reader.read(Math.max(0, head.lastSeq - TAIL_ROWS), TAIL_ROWS);
    const chain = new ChainVerifier(cell);
    const first = events[0];
    if (first && first.seq > 1) chain.startAfter(first.seq - 1, first.prev_hash);
    for (const event of events) chain.add(event);
    const { fault } = chain.verdict();
    if (!fault) return;
    throw new EdgeError('log.tampered', {
      operation: 'log.open',
      subject: path,
      message: `${path}: ${fault.message}`,
      hint: 'run `auraison log verify`, keep the file as evidence, move it aside to start a new log',
    });
  } finally {
    reader.close();
  }
}
