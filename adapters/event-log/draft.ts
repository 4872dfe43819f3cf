import {
  type AgentEvent,
  canonicalJson,
  EdgeError,
  type EventId,
  explainPayload,
  type IdSource,
  isEventKind,
  isUuidv7,
  LIMITS,
  type Nanoseconds,
  type NewEvent,
  payloadFits,
  toWireTime,
} from '../../contract/core.ts';

/** An event that was checked and serialized, before the log gives it a position and a hash. */
export type Draft = {
  readonly event_id: string;
  readonly run_id: string | undefined;
  readonly kind: AgentEvent['kind'];
  readonly ts: string;
  /** Canonical JSON: a snapshot, so that a caller who changes the object later changes nothing here. */
  readonly payload: string;
};

/**
 * Checks and serializes the events of one append. Where one of them is wrong: a promise that rejects with
 * `schema.invalid`, naming kind and path (the schemas, which know the path, are loaded only then).
 */
export function draftsOf(
  events: readonly NewEvent[],
  ids: IdSource,
  now: Nanoseconds,
): readonly Draft[] | Promise<never> {
  for (const event of events) {
    const { kind, payload } = event;
    if (isEventKind(kind) && !payloadFits(kind, payload))
      return explainPayload(kind, payload).then((fault) => Promise.reject(refuse(kind, `/payload${fault}`)));
  }
  return events.map((event) => draftOf(event, ids, now));
}

function draftOf(event: NewEvent, ids: IdSource, now: Nanoseconds): Draft {
  const { kind, run_id, payload, ...unknown } = event as NewEvent & Record<string, unknown>;
  if (!isEventKind(kind)) throw refuse(String(kind), `/kind: unknown event kind ${String(kind)}`);
  const extra = Object.keys(unknown)[0];
  if (extra !== undefined) throw refuse(kind, `/${extra}: unknown field`);
  if (run_id !== undefined && !isUuidv7(run_id)) throw refuse(kind, `/run_id: must be a UUIDv7`);
  const text = canonicalJson(payload);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.EVENT_PAYLOAD_BYTES_MAX) {
    throw refuse(
      kind,
      `/payload: ${bytes} bytes, at most ${LIMITS.EVENT_PAYLOAD_BYTES_MAX}`,
      'write large things to a file and name it by its hash',
    );
  }
  return { event_id: ids.next<EventId>(), run_id, kind, ts: toWireTime(now), payload: text };
}

function refuse(kind: string, message: string, hint = 'see contract/event-payloads.ts'): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'log.append', subject: kind, message, hint });
}
