import type { AgentEvent, CellName } from '../../contract/index.ts';

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

/** Throws a SyntaxError when the payload is no JSON: only a row that was changed by hand is so. */
export function eventOf(row: EventRow, cell: CellName): AgentEvent {
  return {
    event_id: row.event_id,
    ...(row.run_id === null ? {} : { run_id: row.run_id }),
    kind: row.kind,
    payload: JSON.parse(row.payload),
    ts: row.ts,
    cell,
    seq: row.seq,
    prev_hash: row.prev_hash,
    hash: row.hash,
  } as AgentEvent;
}
