import { type AgentEvent, type CellName, parseJson } from '../../contract/core.ts';
import { LogFault } from './log-fault.ts';
import { sameAs, type WholeRow, wholePayload } from './repeats.ts';

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

/** Throws `log.tampered` when the payload is not JSON, or what it refers to is gone: only an edited log is so. */
export function eventOf(row: EventRow, cell: CellName, wholeRow: WholeRow): AgentEvent {
  return sizedEventOf(row, cell, wholeRow).event;
}

/** The event and the characters of its whole payload, about. */
export function sizedEventOf(
  row: EventRow,
  cell: CellName,
  wholeRow: WholeRow,
): { readonly event: AgentEvent; readonly chars: number } {
  const { payload, chars } = payloadOf(row, cell, wholeRow);
  const event = {
    event_id: row.event_id,
    ...(row.run_id === null ? {} : { run_id: row.run_id }),
    kind: row.kind,
    payload,
    ts: row.ts,
    cell,
    seq: row.seq,
    prev_hash: row.prev_hash,
    hash: row.hash,
  } as AgentEvent;
  return { event, chars };
}

function payloadOf(
  row: EventRow,
  cell: CellName,
  wholeRow: WholeRow,
): { readonly payload: unknown; readonly chars: number } {
  let whole: string | undefined;
  try {
    const seq = sameAs(row.kind, row.payload);
    if (seq === undefined) return { payload: parseJson(row.payload), chars: row.payload.length };
    whole = wholeRow(seq);
    if (whole !== undefined)
      return { payload: wholePayload(row.payload, whole), chars: row.payload.length + whole.length };
  } catch (cause) {
    throw changed(row, cell, 'was changed: its payload is not valid JSON', cause);
  }
  throw changed(row, cell, 'refers to an event that is not in the log');
}

function changed({ seq, kind }: EventRow, cell: CellName, what: string, cause?: unknown): LogFault {
  const hint = 'run `auraison log verify`, keep the file as evidence, move it aside to start a new log';
  const message = `row ${seq} (${kind}) ${what}`;
  return new LogFault('log.tampered', 'log.read', `log of cell ${cell}`, message, hint, cause);
}
