import {
  type AgentEvent,
  type EventKind,
  type EventReader,
  isFinished,
  LIMITS,
  type RunDetails,
  type RunFilter,
  type SessionEntry,
} from '../../contract/index.ts';
import { foldRun, LIFE_KINDS } from './run-fold.ts';
import type { SaidMessage } from './run-messages.ts';
import type { RunView } from './run-view.ts';

const READ_BATCH = 1_000;
const LIST_DEFAULT = 100;
const LIST_MAX = 1_000;
const TOLD_KINDS: readonly EventKind[] = ['session.entry', 'run.message'];

/** What the log holds of the session of a run, and of what was said to it. */
export type Told = { readonly session: readonly SessionEntry[]; readonly messages: readonly SaidMessage[] };

/**
 * The runs of this cell, folded from its log: all unfinished ones and the newest finished ones in memory, the
 * others from the log when asked for. Knows nothing that the log does not say.
 */
export class RunStore {
  readonly #views = new Map<string, RunView>();
  /** Finished before this cell started: only their lives were read, the rest is when somebody looks. */
  readonly #brief = new Set<string>();
  readonly #reader: EventReader;
  readonly #onFold: (view: RunView) => void;

  /** `onOpened` is told each run once, when its intent is folded in. */
  constructor(reader: EventReader, onOpened: (view: RunView) => void) {
    this.#reader = reader;
    this.#onFold = onOpened;
  }

  /**
   * Reads the log from its beginning; called once, before anything is appended. Whole only for runs that go
   * on: a log of months has millions of events, and the heart has to beat meanwhile.
   */
  async load(): Promise<void> {
    let cursor = 0;
    for (;;) {
      const events = this.#reader.read(cursor, READ_BATCH, { kinds: LIFE_KINDS });
      if (events.length === 0) break;
      if (cursor > 0) await new Promise((resolve) => setImmediate(resolve));
      this.apply(events);
      cursor = events.at(-1)!.seq;
    }
    for (const [runId, view] of this.#views) {
      if (isFinished(view.state.status)) this.#brief.add(runId);
      else this.#views.set(runId, this.#read(runId) ?? view);
    }
  }

  apply(events: readonly AgentEvent[]): void {
    for (const event of events) {
      const runId = event.run_id;
      if (runId === undefined) continue;
      const before = this.#views.get(runId);
      const after = foldRun(before, event);
      if (!after || after === before) continue;
      this.#views.set(runId, after);
      if (!before) this.#onFold(after);
      if (isFinished(after.state.status) && !(before && isFinished(before.state.status))) this.#forget();
    }
  }

  get(runId: string): RunView | undefined {
    const known = this.#views.get(runId);
    if (known && !this.#brief.delete(runId)) return known;
    const whole = this.#read(runId);
    if (known && whole) this.#views.set(runId, whole);
    return whole;
  }

  unfinished(): RunView[] {
    return [...this.#views.values()].filter((view) => !isFinished(view.state.status));
  }

  /** Newest first. */
  list(filter: RunFilter = {}): RunView[] {
    const limit = Math.min(Math.max(1, filter.limit ?? LIST_DEFAULT), LIST_MAX);
    return [...this.#views.values()]
      .filter((view) => filter.status === undefined || view.state.status === filter.status)
      .filter((view) => filter.app === undefined || view.app === filter.app)
      .filter((view) => filter.before === undefined || view.state.run_id < filter.before)
      .sort((a, b) => (a.state.run_id < b.state.run_id ? 1 : -1))
      .slice(0, limit)
      .map((view) => this.get(view.state.run_id) ?? view);
  }

  /** Every event of one run, in order. */
  *events(runId: string, kinds?: readonly EventKind[]): Generator<AgentEvent> {
    let cursor = 0;
    const filter = kinds ? { runId, kinds } : { runId };
    for (;;) {
      const events = this.#reader.read(cursor, READ_BATCH, filter);
      if (events.length === 0) return;
      yield* events;
      cursor = events.at(-1)!.seq;
    }
  }

  /**
   * What the log holds of the session of a run, and of what was said to it. A run that was forked has the way
   * from the root to the entry it was forked from before its own entries.
   */
  told(view: RunView): Told {
    const { run_id } = view.state;
    const session = view.forkedFrom ? this.#branch(view.forkedFrom) : [];
    const messages: SaidMessage[] = [];
    if (view.startedTs === undefined) return { session, messages };
    for (const event of this.events(run_id, TOLD_KINDS)) {
      if (event.kind === 'session.entry') session.push(entryOf(event));
      if (event.kind === 'run.message')
        messages.push({
          ...event.payload.body,
          kind: event.payload.kind,
          messageId: event.payload.message_id,
        } as SaidMessage);
    }
    return { session, messages };
  }

  #branch(from: { run_id: string; entry_id: string }): SessionEntry[] {
    const all = new Map<string, SessionEntry>();
    const origin = this.get(from.run_id);
    if (!origin) return [];
    for (const entry of this.told(origin).session) all.set(entry.entryId, entry);
    const way: SessionEntry[] = [];
    for (
      let at = all.get(from.entry_id);
      at;
      at = at.parentId === undefined ? undefined : all.get(at.parentId)
    )
      way.unshift(at);
    return way;
  }

  close(): void {
    this.#reader.close();
  }

  #read(runId: string): RunView | undefined {
    let view: RunView | undefined;
    for (const event of this.events(runId)) view = foldRun(view, event);
    return view;
  }

  /** Finished runs beyond the limit leave memory, the oldest first. */
  #forget(): void {
    const finished = [...this.#views.values()].filter((view) => isFinished(view.state.status));
    if (finished.length <= LIMITS.RUNS_REMEMBERED_MAX) return;
    const oldest = finished.reduce((a, b) => (a.state.run_id < b.state.run_id ? a : b));
    this.#views.delete(oldest.state.run_id);
    this.#brief.delete(oldest.state.run_id);
  }
}

function entryOf({ payload }: AgentEvent<'session.entry'>): SessionEntry {
  return { entryId: payload.entry_id, parentId: payload.parent_id, entry: payload.entry };
}

export function toDetails(view: RunView): RunDetails {
  return {
    run: view.state,
    intent: view.intent,
    app: view.app,
    phase: view.phase,
    queued_ts: view.queuedTs,
    started_ts: view.startedTs,
    finished_ts: view.finishedTs,
    reason: view.reason,
    summary: view.summary,
    error: view.error,
  };
}
