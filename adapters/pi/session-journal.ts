import type { SessionManager } from '@earendil-works/pi-coding-agent';
import {
  type BlobStore,
  EdgeError,
  type NewEvent,
  type RunContext,
  type SessionEntry,
} from '../../contract/core.ts';
import { fromLog, toLog } from './entry-codec.ts';
import type { PiLibrary, SessionInternals } from './pi-library.ts';

type Entry = Record<string, unknown> & { id: string; parentId: string | null };

type More = () => readonly NewEvent[];
const NOTHING: More = () => [];

/**
 * Pi's session tree, stored in the log: every entry gets the next number as its id, and `flush` makes
 * durable what was appended since. No tool and no model is called before that.
 */
export class SessionJournal {
  readonly #context: Pick<RunContext, 'runId' | 'emit'>;
  readonly #blobs: BlobStore | undefined;
  readonly #pending: Entry[] = [];
  #next = 1;
  #posting: Promise<void> = Promise.resolve();
  readonly #unsettled = new Set<Promise<void>>();
  #closed = false;
  /** Messages of people by the message of Pi that carries them: their ids are written into the entry. */
  readonly said = new WeakMap<object, string>();
  /** A message of a person is in the session now. */
  onSaid: (messageId: string) => void = () => {};

  constructor(context: Pick<RunContext, 'runId' | 'emit'>, blobs: BlobStore | undefined) {
    this.#context = context;
    this.#blobs = blobs;
  }

  /** Pi's tree as the log holds it. Rejects with `run.interrupted` when a part of it is gone. */
  async open({ coding }: PiLibrary, logged: readonly SessionEntry[], cwd: string): Promise<SessionManager> {
    const { runId } = this.#context;
    const entries = await Promise.all(logged.map((entry, index) => fromLog(entry, index, this.#blobs)));
    const header = {
      type: 'session',
      version: coding.CURRENT_SESSION_VERSION,
      id: runId,
      timestamp: '',
      cwd,
    };
    const all = [header, ...entries] as unknown as Parameters<typeof SessionManager.inMemory>[2];
    const manager = coding.SessionManager.inMemory(cwd, { id: runId }, all);
    for (const { entryId } of logged) this.#next = Math.max(this.#next, numberOf(entryId) + 1);
    this.#watch(manager);
    return manager;
  }

  #watch(manager: SessionManager): void {
    const internals = manager as unknown as SessionInternals;
    const append = internals._appendEntry.bind(manager);
    internals._appendEntry = (entry) => {
      if (this.#closed) throw over(this.#context.runId);
      entry.id = `e${this.#next++}`;
      const message = entry['message'];
      const messageId = typeof message === 'object' && message !== null ? this.said.get(message) : undefined;
      if (messageId !== undefined) entry['messageId'] = messageId;
      append(entry);
      this.#pending.push(entry);
      if (messageId !== undefined) this.onSaid(messageId);
    };
  }

  /** Records on an entry the message that it came from, before it is flushed. */
  tag(entryId: string, messageId: string): void {
    const entry = this.#pending.find(({ id }) => id === entryId);
    if (entry) entry['messageId'] = messageId;
  }

  /**
   * Passes everything appended so far, and `more` after it, to the log. The log takes events in order, and when it
   * fails it fails all that wait: a caller that waits for a later event of this run has waited for these too. So a step
   * adds no wait where the gate or a model logs the next event. `more` is asked for at the place in the log that it gets.
   */
  post(more: More = NOTHING): Promise<void> {
    const posted = this.#posting.then(() => this.#hand(more));
    this.#posting = posted.catch(() => {});
    return posted;
  }

  /** Resolves when everything appended so far, and `more` after it, is in the log. */
  async flush(more: More = NOTHING): Promise<void> {
    await this.post(more);
    await Promise.all(this.#unsettled);
  }

  /** Later entries are dropped: the run is over. */
  close(): void {
    this.#closed = true;
  }

  async #hand(asked: More): Promise<void> {
    const more = asked();
    const entries = this.#pending.splice(0);
    if (entries.length + more.length === 0) return;
    if (this.#closed) throw over(this.#context.runId);
    try {
      const events = await Promise.all(entries.map((entry) => this.#event(entry)));
      const durable = this.#context.emit([...events, ...more]).catch((thrown: unknown) => {
        this.#putBack(entries);
        throw thrown;
      });
      durable.catch(() => {});
      this.#unsettled.add(durable);
      durable.then(
        () => this.#unsettled.delete(durable),
        () => this.#unsettled.delete(durable),
      );
    } catch (thrown) {
      this.#putBack(entries);
      throw thrown;
    }
  }

  /** Entries that could not be written are still due: a later flush must not skip them. */
  #putBack(entries: readonly Entry[]): void {
    this.#pending.push(...entries);
    this.#pending.sort((a, b) => numberOf(a.id) - numberOf(b.id));
  }

  async #event(entry: Entry): Promise<NewEvent> {
    const { runId } = this.#context;
    const parent = entry.parentId === null ? {} : { parent_id: entry.parentId };
    const payload = {
      session_id: runId,
      entry_id: entry.id,
      ...parent,
      entry: await toLog(entry, this.#blobs),
    };
    return { kind: 'session.entry', run_id: runId, payload };
  }
}

function numberOf(entryId: string): number {
  const number = Number(/^e(\d+)$/.exec(entryId)?.[1] ?? 0);
  return Number.isSafeInteger(number) ? number : 0;
}

function over(runId: string): EdgeError {
  return new EdgeError('run.cancelled', { operation: 'append', subject: runId, message: 'the run is over' });
}
