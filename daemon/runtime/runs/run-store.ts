import {
  type AgentEvent,
  type EventKind,
  type EventReader,
  isFinished,
  LIMITS,
  type RunDetails,
  type RunFilter,
  type SessionEntry,
} from '../../../contract/index.ts';
import { eachEvent, eachPageInTurns } from '../../../history/each-event.ts';
import { foldRun, LIFE_KINDS } from './run-fold.ts';
import type { SaidMessage } from './run-messages.ts';
import type { RunView } from './run-view.ts';

const LIST_DEFAULT = 100;
const LIST_MAX = 1_000;

/** What the log holds of the session of a run, and of what was said to it. */
export type Told = {
  readonly session: readonly SessionEntry[];
  /** How many of them, from the first, are of the run that it was forked from. */
  readonly inherited: number;
  readonly messages: readonly SaidMessage[];
};

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
  readonly #finishing = new Map<string, Set<() => void>>();

  /** `onOpened` gets each run once, when its intent is folded in. */
  constructor(reader: EventReader, onOpened: (view: RunView) => void) {
    this.#reader = reader;
    this.#onFold = onOpened;
  }

  /**
   * Reads the log from its start; called once, before anything is appended. Whole only for runs that
   * continue: a log of months has millions of events, and the heart has to beat meanwhile.
   */
  async load(): Promise<void> {
    for await (const page of eachPageInTurns(this.#reader, { kinds: LIFE_KINDS })) this.apply(page);
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
      if (isFinished(after.state.status) && !(before && isFinished(before.state.status))) this.#ended(runId);
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

  /** Runs that a run asked for, oldest first. */
  children(runId: string): RunView[] {
    return [...this.#views.values()]
      .filter((view) => view.state.parent_run_id === runId)
      .sort((a, b) => (a.state.run_id < b.state.run_id ? -1 : 1))
      .map((view) => this.get(view.state.run_id) ?? view);
  }

  /** The run that asked for this one, the one that asked for that, and so on. */
  ancestors({ state }: RunView): readonly string[] {
    const found: string[] = [];
    let parent = state.parent_run_id;
    while (parent !== undefined && found.length <= LIMITS.RUN_DEPTH_MAX) {
      found.push(parent);
      parent = this.#views.get(parent)?.state.parent_run_id;
    }
    return found;
  }

  /** Calls once, when the run is over; returns how to forget that. */
  whenFinished(runId: string, call: () => void): () => void {
    const calls = this.#finishing.get(runId) ?? new Set();
    this.#finishing.set(runId, calls);
    calls.add(call);
    return () => {
      calls.delete(call);
      if (calls.size === 0 && this.#finishing.get(runId) === calls) this.#finishing.delete(runId);
    };
  }

  /** Every run in memory as far as it was read: of those that were over before this cell started only their lives. */
  lives(): Iterable<RunView> {
    return this.#views.values();
  }

  /** Newest first. */
  list(filter: RunFilter = {}): RunView[] {
    const limit = Math.min(Math.max(1, filter.limit ?? LIST_DEFAULT), LIST_MAX);
    return [...this.#views.values()]
      .filter((view) => filter.status === undefined || view.state.status === filter.status)
      .filter((view) => filter.app === undefined || view.app === filter.app)
      .filter((view) => filter.parent === undefined || view.state.parent_run_id === filter.parent)
      .filter((view) => filter.tenant === undefined || view.intent.policy_ctx.tenant === filter.tenant)
      .filter((view) => filter.before === undefined || view.state.run_id < filter.before)
      .sort((a, b) => (a.state.run_id < b.state.run_id ? 1 : -1))
      .slice(0, limit)
      .map((view) => this.get(view.state.run_id) ?? view);
  }

  /** Every event of one run, in order. */
  events(runId: string, kinds?: readonly EventKind[]): Generator<AgentEvent> {
    return eachEvent(this.#reader, kinds ? { runId, kinds } : { runId });
  }

  /**
   * What the log holds of the session of a run, and of what was said to it. A run that was forked has the way
   * from the root to the entry it was forked from before its own entries.
   */
  told(view: RunView): Told {
    const messages: SaidMessage[] = [];
    for (const { payload } of this.events(view.state.run_id, ['run.message']) as Iterable<
      AgentEvent<'run.message'>
    >)
      messages.push({ ...payload.body, kind: payload.kind, messageId: payload.message_id } as SaidMessage);
    const inherited = view.forkedFrom ? this.branch(view.forkedFrom).length : 0;
    return { session: this.session(view).map(entryOf), inherited, messages };
  }

  /** The events of the session of a run, those of the branch that it was forked from first. */
  session(view: RunView): AgentEvent<'session.entry'>[] {
    const own = [...this.events(view.state.run_id, ['session.entry'])] as AgentEvent<'session.entry'>[];
    return view.forkedFrom ? [...this.branch(view.forkedFrom), ...own] : own;
  }

  /** The way from the root of a session to one of its entries. */
  branch(from: { run_id: string; entry_id: string }): AgentEvent<'session.entry'>[] {
    const origin = this.get(from.run_id);
    if (!origin) return [];
    const all = new Map(this.session(origin).map((event) => [event.payload.entry_id, event]));
    const way: AgentEvent<'session.entry'>[] = [];
    // Each entry once: what a broken session names as its parent may lead in a circle.
    for (let at = all.get(from.entry_id); at; at = all.get(at.payload.parent_id ?? '')) {
      all.delete(at.payload.entry_id);
      way.unshift(at);
    }
    return way;
  }

  #goesOn(runId: string | undefined): boolean {
    const view = runId === undefined ? undefined : this.#views.get(runId);
    return view !== undefined && !isFinished(view.state.status);
  }

  close(): void {
    this.#reader.close();
  }

  #read(runId: string): RunView | undefined {
    let view: RunView | undefined;
    for (const event of this.events(runId)) view = foldRun(view, event);
    return view;
  }

  #ended(runId: string): void {
    this.#forget();
    const calls = this.#finishing.get(runId);
    this.#finishing.delete(runId);
    for (const call of calls ?? []) call();
  }

  /** Finished runs beyond the limit leave memory, the oldest first; not those that an active run asked for. */
  #forget(): void {
    const finished = [...this.#views.values()].filter(
      ({ state }) => isFinished(state.status) && !this.#goesOn(state.parent_run_id),
    );
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
    ...(view.version === undefined ? {} : { app_version: view.version }),
    ...(view.digest === undefined ? {} : { app_digest: view.digest }),
    phase: view.phase,
    queued_ts: view.queuedTs,
    started_ts: view.startedTs,
    finished_ts: view.finishedTs,
    reason: view.reason,
    summary: view.summary,
    error: view.error,
  };
}
