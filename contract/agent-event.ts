import { Type } from 'typebox';
import type { CellName } from './cell-name.ts';
import { CELL_NAMES } from './cell-name.ts';
import { checker } from './check.ts';
import { Count, closed, Sha256, Uuid } from './common.ts';
import { EVENT_PAYLOADS, type EventKind, type EventPayload } from './event-payloads.ts';
import { WireTime } from './time.ts';

const envelope = {
  event_id: Uuid('UUIDv7'),
  run_id: Type.Optional(Uuid('UUIDv7')),
  ts: WireTime,
  cell: Type.Enum([...CELL_NAMES]),
  seq: Count('position in the log of its cell, from 1, without gaps'),
  prev_hash: Sha256,
  hash: Sha256,
};

/** An appended fact. One discriminated union by `kind`; each row is chained to the one before it. */
export const AgentEvent = Type.Union(
  (Object.keys(EVENT_PAYLOADS) as EventKind[]).map((kind) =>
    Type.Object(
      { ...envelope, kind: Type.Literal(kind), payload: EVENT_PAYLOADS[kind] },
      { ...closed, title: kind },
    ),
  ),
  { $id: 'auraison/v1/agent-event', title: 'AgentEvent' },
);

export type AgentEvent<K extends EventKind = EventKind> = {
  [Kind in K]: {
    event_id: string;
    run_id?: string;
    kind: Kind;
    payload: EventPayload<Kind>;
    ts: string;
    cell: CellName;
    seq: number;
    prev_hash: string;
    hash: string;
  };
}[K];

/** What a writer hands to the log: the log adds id, time, cell, position and hashes. */
export type NewEvent<K extends EventKind = EventKind> = {
  [Kind in K]: { kind: Kind; run_id?: string; payload: EventPayload<Kind> };
}[K];

/** A checker per kind: far cheaper and far clearer in its messages than the whole union. */
const payloadPerKind = new Map<string, ReturnType<typeof checker>>();

/** `undefined` when `payload` fits the kind, else `path: problem`. */
export function payloadFault(kind: EventKind, payload: unknown): string | undefined {
  let check = payloadPerKind.get(kind);
  if (!check) {
    check = checker(EVENT_PAYLOADS[kind]);
    payloadPerKind.set(kind, check);
  }
  return check.fault(payload);
}
