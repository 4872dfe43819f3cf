import { type AgentEvent, type EventReader, LIMITS } from '../contract/core.ts';

/** Events read from the log at once: large payloads must not pile up before the batch is cut. */
const READ_EVENTS = 64;

/** Size of an event in a push. */
export function bytesOf(event: AgentEvent): number {
  return Buffer.byteLength(JSON.stringify(event)) + 1;
}

/** The events after `after` that fit into one push; at least one where there is any. */
export function cutBatch(reader: EventReader, after: number, bytesMax: number): AgentEvent[] {
  const eventsMax = LIMITS.LINK_BATCH_EVENTS_MAX;
  const batch: AgentEvent[] = [];
  let bytes = 0;
  while (batch.length < eventsMax) {
    const wanted = Math.min(READ_EVENTS, eventsMax - batch.length);
    const page = reader.read(after + batch.length, wanted);
    for (const event of page) {
      bytes += bytesOf(event);
      if (batch.length > 0 && bytes > bytesMax) return batch;
      batch.push(event);
    }
    if (page.length < wanted) break;
  }
  return batch;
}
