import { type AgentEvent, type EventReader, LIMITS } from '../contract/core.ts';

/** Events read from the log at once: large payloads must not pile up before the batch is cut. */
const READ_EVENTS = 64;

/** The events after `after` that fit into one push; at least one where there is any. */
export function cutBatch(reader: EventReader, after: number, eventsMax: number): AgentEvent[] {
  const batch: AgentEvent[] = [];
  let bytes = 0;
  while (batch.length < eventsMax) {
    const wanted = Math.min(READ_EVENTS, eventsMax - batch.length);
    const page = reader.read(after + batch.length, wanted);
    for (const event of page) {
      bytes += Buffer.byteLength(JSON.stringify(event)) + 1;
      if (batch.length > 0 && bytes > LIMITS.LINK_BATCH_BYTES_MAX) return batch;
      batch.push(event);
    }
    if (page.length < wanted) break;
  }
  return batch;
}
