import type { AgentEvent, CellName } from '../../contract/index.ts';
import { LogFault } from './log-fault.ts';

/** A row of `events` as SQLite gives it. */
export type EventRow = {
  seq: number;
  event_id: string;
  run_id: string | null;
  kind: string;
  ts: string;
  payload: string;
  prev_hash: string;
  hash: string;
};

/** Throws `log.tampered` when the payload is no JSON: only a row that was changed by hand is so. */
export function eventOf(row: EventRow, cell: CellName): AgentEvent {
  return {
    event_id: row.event_id,
    ...(row.run_id === null ? {} : { run_id: row.run_id }),
    kind: row.kind,
    payload: payloadOf(row, cell),
    ts: row.ts,
    cell,
    seq: row.seq,
    prev_hash: row.prev_hash,
    hash: row.hash,
  } as AgentEvent;
}

function payloadOf(row: EventRow, cell: CellName): unknown {
  try {
    return JSON.parse(row.payload);
  } catch (cause) {
    const message = `row ${row.seq} (${row.kind}) was changed: its payload is not valid JSON`;
    const hint = 'run `auraison log verify`, keep the file as evidence, move it aside to start a new log';
    throw new LogFault('log.tampered', 'log.read', `log of cell ${cell}`, message, hint, cause);
  }
}
