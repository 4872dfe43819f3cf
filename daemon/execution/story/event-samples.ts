import {
  type AgentEvent,
  domainOf,
  type EventKind,
  LATCHED_QOS,
  type Nanoseconds,
  type Sample,
  type TopicSpec,
} from '../../../contract/core.ts';
import { CdrWriter } from '../../../formats/cdr/index.ts';
import { LEVELS, lineOf } from './event-text.ts';
import { less } from './short-json.ts';

const QOS = { ...LATCHED_QOS, durability: 'volatile', depth: 200 } as const;

/** One readable line per event, for log panels. */
export const LOG_TOPIC: TopicSpec = { topic: '/auraison/log', type: 'rcl_interfaces/msg/Log', qos: QOS };
/** The event itself as JSON, to be joined with other data. */
export const EVENTS_TOPIC: TopicSpec = {
  topic: '/auraison/events',
  type: 'std_msgs/msg/String',
  qos: QOS,
};

export const STORY_TOPICS: readonly TopicSpec[] = [LOG_TOPIC, EVENTS_TOPIC];

/** What one message holds of an event, bytes of JSON; a larger payload is in the log, by the id of the event. */
export const EVENT_JSON_MAX = 4_096;
const DEPTH_MAX = 6;

/**
 * Kinds that are no part of the story: what the recording does with its own files, and what only a replay needs
 * (states and maps, sessions with their texts).
 */
const UNTOLD: ReadonlySet<EventKind> = new Set([
  'segment.opened',
  'segment.sealed',
  'segment.evicted',
  'losses.recorded',
  'recording.annotated',
  'blobs.evicted',
  'robot.observed',
  'session.entry',
  'link.receipt',
  'control.chunk',
]);

export function isTold({ kind }: Pick<AgentEvent, 'kind'>): boolean {
  return !UNTOLD.has(kind);
}

/** Both messages of an event, at `time` of the recording. */
export function samplesOf(event: AgentEvent, time: Nanoseconds): readonly Sample[] {
  const at = { stamp: time, received: time };
  return [
    { topic: LOG_TOPIC.topic, type: LOG_TOPIC.type, ...at, bytes: logMessage(event, time) },
    { topic: EVENTS_TOPIC.topic, type: EVENTS_TOPIC.type, ...at, bytes: text(eventJson(event)) },
  ];
}

function logMessage(event: AgentEvent, time: Nanoseconds): Uint8Array {
  const { level, text: line } = lineOf(event);
  const writer = new CdrWriter(line.length + 160);
  writer.stamp(time);
  writer.uint8(LEVELS[level]);
  writer.string(event.run_id === undefined ? `auraison/${event.cell}` : `auraison/run/${event.run_id}`);
  writer.string(line);
  // Where an event comes from: its kind, its id, its place in the log of its cell.
  writer.string(event.kind);
  writer.string(event.event_id);
  writer.uint32(event.seq % 2 ** 32);
  return writer.finish();
}

/** Ids as in the log and in the lake; `ts` is wall time. */
function eventJson({ event_id, run_id, kind, cell, seq, ts, payload }: AgentEvent): string {
  const head = {
    event_id,
    ...(run_id === undefined ? {} : { run_id }),
    cell,
    seq,
    kind,
    domain: domainOf({ kind, cell }),
    ts,
  };
  const whole = JSON.stringify({ ...head, payload });
  if (Buffer.byteLength(whole) <= EVENT_JSON_MAX) return whole;
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  for (const depth of [DEPTH_MAX, 2, 1]) {
    const cut = JSON.stringify({ ...head, payload: less(payload, depth), cut: true, payload_bytes: bytes });
    if (Buffer.byteLength(cut) <= EVENT_JSON_MAX) return cut;
  }
  return JSON.stringify({ ...head, payload: {}, cut: true, payload_bytes: bytes });
}

function text(value: string): Uint8Array {
  const writer = new CdrWriter(value.length + 16);
  writer.string(value);
  return writer.finish();
}
