import { type AgentEvent, domainOf, type EventKind, type EventPayload } from '../../contract/core.ts';

/** Types that DuckLake and plain DuckDB both store and that no string can poison (JSON can: it is validated). */
export type ColumnType =
  | ('VARCHAR' | 'BIGINT' | 'DOUBLE' | 'BOOLEAN' | 'TIMESTAMP_NS')
  | ('VARCHAR[]' | 'DOUBLE[]');
export type Column = {
  readonly name: string;
  readonly type: ColumnType;
  readonly text: string;
  /** SQL of the value in rows from before there was this column. */
  readonly before?: string;
};
/** A value for a column: times are nanoseconds since the epoch, `undefined` is NULL. */
export type Value = string | number | bigint | boolean | undefined;

/** An append-only table: each event gives 0..n rows, which carry its position and are never changed. */
export type Table = {
  readonly name: string;
  readonly text: string;
  readonly columns: readonly Column[];
  /** The values after the position columns. */
  readonly rows: (event: AgentEvent) => readonly (readonly Value[])[];
  /**
   * Events about a segment that may stand in the log twice, if the cell was killed before it knew that the log has
   * them: a row of a segment (the column `of`) that equals an earlier one with the same `key` in all columns but
   * `ts` is the same row again. Where the number in `gone` is below zero the segment went: a row after that is about
   * another one under its path. Rows that name no file never repeat.
   */
  readonly once?: { readonly of: string; readonly key: readonly string[]; readonly gone?: string };
};

/** Position of the source event; the first columns of every table. */
export const POSITION: readonly Column[] = [
  column('cell', 'VARCHAR', 'cell whose log holds the event'),
  column('epoch', 'VARCHAR', 'id of the first event of that log; another epoch is another log'),
  column('seq', 'BIGINT', 'position in that log, from 1'),
];

export const EPOCHS: Table = {
  name: 'epochs',
  text: 'which logs were seen, in the order in which they were first projected',
  columns: [column('ordinal', 'BIGINT', 'the highest one of a cell is its current log')],
  rows: () => [],
};

export const TABLES: readonly Table[] = [
  {
    name: 'events',
    text: 'every agent event, as it stands in the logs',
    columns: [
      column('event_id', 'VARCHAR', 'UUIDv7'),
      column('run_id', 'VARCHAR', 'run it belongs to, if any'),
      column('kind', 'VARCHAR', 'kind of event, see contract/event-payloads.ts'),
      column('ts', 'TIMESTAMP_NS', 'when it happened, UTC'),
      column('payload', 'VARCHAR', "JSON: payload->>'$.reason'"),
      column('prev_hash', 'VARCHAR', 'hash of the event before'),
      column('hash', 'VARCHAR', 'SHA-256 of prev_hash and this event'),
      {
        ...column('domain', 'VARCHAR', 'execution, orchestration, memory or governance'),
        before: 'NULL',
      },
    ],
    rows: (e) => [
      [e.event_id, e.run_id, e.kind, time(e.ts), json(e.payload), e.prev_hash, e.hash, domainOf(e)],
    ],
  },
  {
    name: 'run_events',
    text: 'every step in the life of a run; the view runs folds them',
    columns: [
      column('run_id', 'VARCHAR', 'run'),
      column('ts', 'TIMESTAMP_NS', 'when, UTC'),
      column(
        'kind',
        'VARCHAR',
        'intent.accepted, run.queued, run.started, run.phase, run.status, run.finished',
      ),
      column('intent_id', 'VARCHAR', 'intent that opened the run'),
      column('intent_type', 'VARCHAR', 'type of that intent'),
      column('app', 'VARCHAR', 'application'),
      column('harness', 'VARCHAR', 'pi, flow or remote'),
      column('attempt', 'BIGINT', 'grows with each resume'),
      column('status', 'VARCHAR', 'status that the run entered with this event'),
      column('phase', 'VARCHAR', 'state of the graph that it entered with this event'),
      column('reason', 'VARCHAR', 'why'),
      column('score', 'DOUBLE', '0 to 1, at the end'),
      column('summary', 'VARCHAR', 'JSON, at the end'),
      column('error_code', 'VARCHAR', 'when it failed'),
    ],
    rows: runRows,
  },
  {
    name: 'tool_events',
    text: 'calls and returns of tools; the view tool_calls joins them',
    columns: [
      column('run_id', 'VARCHAR', 'run that called'),
      column('call_id', 'VARCHAR', 'call'),
      column('ts', 'TIMESTAMP_NS', 'when, UTC'),
      column('kind', 'VARCHAR', 'tool.called or tool.returned'),
      column('tool', 'VARCHAR', 'tool'),
      column('effect', 'VARCHAR', 'read, write or actuate'),
      column('replay', 'VARCHAR', 'never, safe or probe'),
      column('args', 'VARCHAR', 'JSON'),
      column('deadline_ms', 'BIGINT', 'from the call, milliseconds'),
      column('ok', 'BOOLEAN', 'whether it succeeded'),
      column('result', 'VARCHAR', 'JSON'),
      column('error_code', 'VARCHAR', 'when it failed'),
      column('error_message', 'VARCHAR', 'when it failed'),
      column('duration_ms', 'DOUBLE', 'call to return, milliseconds'),
      column('robot_time', 'TIMESTAMP_NS', 'clock of the robot (simulation time in simulation)'),
    ],
    rows: toolRows,
  },
  {
    name: 'segments',
    text: 'sealed MCAP files',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when it was sealed, UTC'),
      column('bag', 'VARCHAR', 'recording it belongs to'),
      column('path', 'VARCHAR', 'relative to the data directory'),
      column('sha256', 'VARCHAR', 'of the file'),
      column('bytes', 'BIGINT', 'size of the file'),
      column('messages', 'BIGINT', 'messages in it'),
      column('start_time', 'TIMESTAMP_NS', 'first message'),
      column('end_time', 'TIMESTAMP_NS', 'last message'),
      column('topics', 'VARCHAR', 'JSON: messages by topic'),
      column('repaired', 'BOOLEAN', 'closed by the repair after a crash'),
    ],
    rows: segmentRows,
    once: { of: 'path', key: ['path'] },
  },
  {
    name: 'evictions',
    text: 'segments that were deleted: by the ring, by a quota, with a discarded episode',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when, UTC'),
      column('bag', 'VARCHAR', 'recording it belonged to'),
      column('path', 'VARCHAR', 'relative to the data directory'),
      column('bytes', 'BIGINT', 'size it had'),
      column('messages', 'BIGINT', 'messages in it'),
      column('reason', 'VARCHAR', 'ring, quota or discarded'),
      column('topics', 'VARCHAR', 'JSON: messages by topic that no longer exist'),
    ],
    rows: evictionRows,
    once: { of: 'path', key: ['path'] },
  },
  {
    name: 'clips',
    text: 'the time around a trigger, kept as a recording',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when it was whole, UTC'),
      column('clip_id', 'VARCHAR', 'UUIDv7'),
      column('bag', 'VARCHAR', 'recording that is the clip'),
      column('trigger', 'VARCHAR', 'api, ros, agent, or the name of a condition'),
      column('reason', 'VARCHAR', 'why'),
      column('trigger_time', 'TIMESTAMP_NS', 'of the trigger, by the clock of the samples'),
      column('start_time', 'TIMESTAMP_NS', 'first message'),
      column('end_time', 'TIMESTAMP_NS', 'last message'),
      column('messages', 'BIGINT', 'messages'),
      column('bytes', 'BIGINT', 'size'),
    ],
    rows: clipRows,
  },
  {
    name: 'episode_events',
    text: 'every step in the life of an episode; the view episodes folds them',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when, UTC'),
      column('kind', 'VARCHAR', 'episode.started, .ended, .discarded, .relabelled'),
      column('episode_id', 'VARCHAR', 'UUIDv7'),
      column('bag', 'VARCHAR', 'recording'),
      column('label', 'VARCHAR', 'what was attempted'),
      column('success', 'BOOLEAN', 'whether it was achieved; NULL when it was not said'),
      column('reason', 'VARCHAR', 'why it was discarded'),
      column('start_time', 'TIMESTAMP_NS', 'first message'),
      column('end_time', 'TIMESTAMP_NS', 'last message'),
      column('messages', 'BIGINT', 'messages'),
      column('bytes', 'BIGINT', 'size'),
    ],
    rows: episodeRows,
  },
  {
    name: 'annotation_events',
    text: 'what people wrote about recordings, and took back; the view annotations folds them',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when, UTC'),
      column('annotation_id', 'VARCHAR', 'UUIDv7'),
      column('bag', 'VARCHAR', 'recording'),
      column('start_time', 'TIMESTAMP_NS', 'from here, by the clock of the recording'),
      column('end_time', 'TIMESTAMP_NS', 'to here; the same: of a moment'),
      column('label', 'VARCHAR', 'short name'),
      column('text', 'VARCHAR', 'what was seen'),
      column('removed', 'BOOLEAN', 'it was taken back'),
      column('author', 'VARCHAR', 'who wrote it'),
    ],
    rows: annotationRows,
  },
  {
    name: 'losses',
    text: 'the loss ledger: received = forwarded + written + dropped, per hop, segment and topic',
    columns: [
      column('ts', 'TIMESTAMP_NS', 'when it was written, UTC'),
      column('bag', 'VARCHAR', 'recording; NULL for a route'),
      column('segment', 'VARCHAR', 'path of the segment, relative to the data directory'),
      column('topic', 'VARCHAR', 'topic'),
      column('received', 'BIGINT', 'messages'),
      column('written', 'BIGINT', 'messages; negative in the line of a segment that was deleted later'),
      column('dropped', 'BIGINT', 'messages, all reasons'),
      column('reasons', 'VARCHAR', 'JSON: dropped messages by reason'),
      {
        ...column('hop', 'VARCHAR', 'where it was counted: recorder, or route:<name>'),
        before: "'recorder'",
      },
      { ...column('forwarded', 'BIGINT', 'messages that a route handed on'), before: '0' },
    ],
    rows: lossRows,
    once: { of: 'segment', key: ['segment', 'topic'], gone: 'written' },
  },
];

export function column(name: string, type: ColumnType, text: string): Column {
  return { name, type, text };
}

/** Nanoseconds of a wire time; NULL beyond what 64 bits hold (the year 2262). */
export function time(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  const ns = BigInt(text);
  return ns < 9_223_372_036_854_775_806n ? ns : undefined;
}

/** JSON text; half a surrogate pair, which no reader of JSON accepts, becomes U+FFFD. */
function json(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const text = JSON.stringify(value);
  if (!text.includes('\\ud')) return text;
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'string' ? item.toWellFormed() : item));
}

function payloadOf<K extends EventKind>(event: AgentEvent, kind: K): EventPayload<K> | undefined {
  return event.kind === kind ? (event.payload as EventPayload<K>) : undefined;
}

type RunStep = {
  intent_id?: string;
  intent_type?: string;
  app?: string;
  harness?: string;
  attempt?: number;
  status?: string;
  phase?: string;
  reason?: string;
  score?: number | undefined;
  summary?: unknown;
  error_code?: string | undefined;
};

function runRows(e: AgentEvent): Value[][] {
  const step = runStep(e);
  if (!step || e.run_id === undefined) return [];
  const { intent_id, intent_type, app, harness, attempt, status, phase, reason, score } = step;
  const cause = [e.run_id, time(e.ts), e.kind, intent_id, intent_type, app, harness];
  return [[...cause, attempt, status, phase, reason, score, json(step.summary), step.error_code]];
}

function runStep(e: AgentEvent): RunStep | undefined {
  const accepted = payloadOf(e, 'intent.accepted');
  if (accepted) {
    const { intent, app } = accepted;
    return { intent_id: intent.intent_id, intent_type: intent.type, app };
  }
  const queued = payloadOf(e, 'run.queued');
  if (queued) return { ...queued, status: 'queued' };
  const started = payloadOf(e, 'run.started');
  if (started) return { attempt: started.attempt, status: 'running' };
  const step = payloadOf(e, 'run.phase') ?? payloadOf(e, 'run.status');
  if (step) return step;
  const finished = payloadOf(e, 'run.finished');
  if (!finished) return undefined;
  const { status, reason, score, summary, error } = finished;
  return { status, reason, score, summary, error_code: error?.code };
}

function toolRows(e: AgentEvent): Value[][] {
  const called = payloadOf(e, 'tool.called');
  if (called) {
    const { call_id, tool, effect, replay, args, deadline_ms, robot_time_ns } = called;
    const call = [e.run_id, call_id, time(e.ts), e.kind, tool, effect, replay, json(args), deadline_ms];
    return [[...call, undefined, undefined, undefined, undefined, undefined, time(robot_time_ns)]];
  }
  const returned = payloadOf(e, 'tool.returned');
  if (!returned) return [];
  const { call_id, tool, ok, result, error, duration_ms, robot_time_ns } = returned;
  const call = [e.run_id, call_id, time(e.ts), e.kind, tool, undefined, undefined, undefined, undefined];
  return [[...call, ok, json(result), error?.code, error?.message, duration_ms, time(robot_time_ns)]];
}

function segmentRows(e: AgentEvent): Value[][] {
  const p = payloadOf(e, 'segment.sealed');
  if (!p) return [];
  const file = [time(e.ts), p.bag, p.path, p.sha256, p.bytes, p.messages];
  return [[...file, time(p.start_ns), time(p.end_ns), json(p.topics), p.repaired]];
}

/** Samples that were written and are gone: a line that corrects earlier ones, so that sums stay exact. */
function correctionRows(e: AgentEvent, p: EventPayload<'segment.evicted'>): Value[][] {
  const why = p.reason === 'discarded' ? 'discarded' : 'evicted';
  return Object.entries(p.topics).map(([topic, count]) => {
    const counts = [0, -count, count, json({ [why]: count })];
    return [time(e.ts), p.bag, p.path, topic, ...counts, 'recorder', 0];
  });
}

function evictionRows(e: AgentEvent): Value[][] {
  const p = payloadOf(e, 'segment.evicted');
  if (!p) return [];
  return [[time(e.ts), p.bag, p.path, p.bytes, p.messages, p.reason, json(p.topics)]];
}

function clipRows(e: AgentEvent): Value[][] {
  const p = payloadOf(e, 'clip.recorded');
  if (!p) return [];
  const times = [time(p.trigger_ns), time(p.start_ns), time(p.end_ns)];
  return [[time(e.ts), p.clip_id, p.bag, p.trigger, p.reason, ...times, p.messages, p.bytes]];
}

function episodeRows(e: AgentEvent): Value[][] {
  const ended = payloadOf(e, 'episode.ended');
  const labelled = ended ?? payloadOf(e, 'episode.relabelled');
  const named = labelled ?? payloadOf(e, 'episode.started');
  const discarded = payloadOf(e, 'episode.discarded');
  const p = named ?? discarded;
  if (!p) return [];
  const held = [time(ended?.start_ns), time(ended?.end_ns), ended?.messages, ended?.bytes];
  return [
    [time(e.ts), e.kind, p.episode_id, p.bag, named?.label, labelled?.success, discarded?.reason, ...held],
  ];
}

function annotationRows(e: AgentEvent): Value[][] {
  const p = payloadOf(e, 'recording.annotated');
  if (!p) return [];
  const span = [time(p.start_ns), time(p.end_ns)];
  return [[time(e.ts), p.annotation_id, p.bag, ...span, p.label, p.text, p.removed, p.by]];
}

function lossRows(e: AgentEvent): Value[][] {
  const evicted = payloadOf(e, 'segment.evicted');
  if (evicted) return correctionRows(e, evicted);
  const p = payloadOf(e, 'losses.recorded');
  if (!p) return [];
  const { bag, segment, hop = 'recorder', topics } = p;
  return topics.map((line) => {
    const dropped = Object.values(line.dropped).reduce((sum, count) => sum + count, 0);
    const counts = [line.received, line.written, dropped, json(line.dropped)];
    return [time(e.ts), bag, segment, line.topic, ...counts, hop, line.forwarded ?? 0];
  });
}
