import {
  type AgentEvent,
  EdgeError,
  type EventKind,
  type EventReader,
  type ReadFilter,
} from '../../../contract/index.ts';
import { eachPage } from '../../../history/each-event.ts';
import { foldRun } from '../runs/run-fold.ts';
import type { RunView } from '../runs/run-view.ts';

/** A run of more events than this is not held in memory: some 10 million steps are no mission. */
const EVENTS_MAX = 1_000_000;

/** One stretch of a record: what was before it is given, what is in it is done again. */
export type Stretch = {
  readonly before: readonly AgentEvent[];
  readonly events: readonly AgentEvent[];
  /** It ended by a cut: the process was gone in the middle of it. */
  readonly cut: boolean;
};

/** Every event of one run, in order. Throws `run.not_found`. */
export function readRun(reader: EventReader, runId: string): AgentEvent[] {
  const events: AgentEvent[] = [];
  for (const page of eachPage(reader, { runId })) {
    events.push(...page);
    if (events.length > EVENTS_MAX) break;
  }
  if (events.some((event) => event.kind === 'intent.accepted')) return events;
  const hint = reader.cutThrough?.()
    ? 'the oldest events were removed from this log (auraison log verify says which); the lake still has them'
    : undefined;
  throw new EdgeError('run.not_found', { operation: 'read run', subject: runId, ...(hint ? { hint } : {}) });
}

export function viewOf(events: Iterable<AgentEvent>): RunView | undefined {
  let view: RunView | undefined;
  for (const event of events) view = foldRun(view, event);
  return view;
}

/** The attempts of a run. Each starts at its `run.started`; all but the last ended by a cut. */
export function stretchesOf(events: readonly AgentEvent[]): Stretch[] {
  const starts = events.flatMap((event, index) => (event.kind === 'run.started' ? [index] : []));
  return starts.map((start, n) => {
    const end = starts[n + 1] ?? events.length;
    const part = events.slice(start, end);
    const over = part.some((event) => event.kind === 'run.finished');
    return { before: events.slice(0, start), events: part, cut: !over };
  });
}

/**
 * Where `--from` points: the number of an event of the run (from 1, as `auraison runs events` counts them), the id of
 * an event, a call or an entry of the session, or the name of a phase (the first time it was entered). Returns the
 * index after that event, undefined for the start. Throws `schema.invalid`.
 */
export function findEntry(events: readonly AgentEvent[], from: string): number | undefined {
  const index = /^\d+$/.test(from)
    ? Number(from) - 1
    : events.findIndex((event) => event.event_id === from || nameIn(event) === from);
  const firstStart = events.findIndex((event) => event.kind === 'run.started');
  if (index >= 0 && index < events.length && firstStart >= 0) {
    const at = Math.max(index, firstStart);
    // Before its first phase a run has nothing to continue from: it starts.
    return events.slice(0, at + 1).some((event) => event.kind === 'run.phase') ? at + 1 : undefined;
  }
  throw new EdgeError('schema.invalid', {
    operation: 'find entry',
    subject: from,
    message: `--from: the run has no entry ${from}`,
    hint: `a number from 1 to ${events.length}, a phase, or an id that auraison runs events shows`,
  });
}

/**
 * The place closest to `begin` at which a run can be entered as after a restart, and continues as it did: a turn of
 * an agent starts with its phase, and retries of a state with its first try. Undefined: only the start.
 */
export function knotBefore(events: readonly AgentEvent[], begin: number): number | undefined {
  const isAgent = viewOf(events)?.state.harness === 'pi';
  let from = begin;
  // Written together with what follows: no run ever stood between them.
  while (from < events.length && isBetween(events[from - 1]!)) from++;
  let knot = from;
  for (let at = from - 1; at >= 0; at--) {
    const event = events[at]!;
    if (isAgent && event.kind === 'session.entry') break;
    if (event.kind !== 'run.phase') continue;
    const { phase, previous, reason } = event.payload;
    if (isAgent && phase === AGENT_PHASE) knot = at;
    else if (previous === phase && /^retry \d+ of /.test(reason)) {
      knot = at;
      continue;
    }
    break;
  }
  return events.slice(0, knot).some((event) => event.kind === 'run.phase') ? knot : undefined;
}

/** Phase of an agent; each turn announces it. */
const AGENT_PHASE = 'agent';

const TOGETHER: ReadonlySet<EventKind> = new Set([
  'policy.decided',
  'robot.observed',
  'approval.requested',
  'approval.answered',
]);

/** Also while it waited for a person: the person who is asked again has not been asked yet. */
function isBetween({ kind, payload }: AgentEvent): boolean {
  if (kind !== 'run.status') return TOGETHER.has(kind);
  const { status, previous } = payload as AgentEvent<'run.status'>['payload'];
  return status === 'waiting_approval' || previous === 'waiting_approval';
}

function nameIn(event: AgentEvent): string | undefined {
  if (event.kind === 'session.entry') return event.payload.entry_id;
  if (event.kind === 'tool.called' || event.kind === 'model.called') return event.payload.call_id;
  return event.kind === 'run.phase' ? event.payload.phase : undefined;
}

/** A log as it was when one run had come so far: of that run nothing later than `seq` is given. */
export class ReaderBefore implements EventReader {
  readonly #reader: EventReader;
  readonly #runId: string;
  readonly #seq: number;

  constructor(reader: EventReader, runId: string, seq: number) {
    this.#reader = reader;
    this.#runId = runId;
    this.#seq = seq;
  }

  read(after: number, limit: number, filter?: ReadFilter): AgentEvent[] {
    const events = this.#reader.read(after, limit, filter);
    return events.filter((event) => event.run_id !== this.#runId || event.seq <= this.#seq);
  }

  lastSeq(): number {
    return this.#reader.lastSeq();
  }

  close(): void {}
}

export function ofKind<K extends EventKind>(events: readonly AgentEvent[], kind: K): AgentEvent<K>[] {
  return events.filter((event) => event.kind === kind) as AgentEvent<K>[];
}
