import {
  EdgeError,
  LIMITS,
  type NewEvent,
  RUNTIME_LIMITS,
  type RunContext,
  type RunFromRuntime,
} from '../../../contract/index.ts';
import { safeCopy } from '../intents/json-safety.ts';

type Batch = Extract<RunFromRuntime, { readonly type: 'events' }>;
/** Absent: it is durable. */
type Noted = { readonly error?: EdgeError };

/** Batches that are answered again. */
const BATCHES_KEPT = 256;
/** One entry of a session. */
const ENTRY_BYTES_MAX = 128 * 1024;

export type RemoteEventsParts = {
  readonly context: Pick<RunContext, 'runId' | 'emit' | 'resume'>;
  /** Calls in progress. */
  readonly openCalls: () => number;
  readonly newPhase: () => void;
};

/** What a runtime writes into the log of its run: in order, each batch once. Nothing here rejects. */
export class RemoteEvents {
  readonly #parts: RemoteEventsParts;
  readonly #batches = new Map<string, Promise<Noted>>();
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #now: RunContext['resume'];

  constructor(parts: RemoteEventsParts) {
    this.#parts = parts;
    this.#now = parts.context.resume;
  }

  /** The phase that the run is in: a new life of the runtime starts there. */
  get now(): RunContext['resume'] {
    return this.#now;
  }

  /** Settles when the batch is durable or refused. */
  write({ batch, events }: Pick<Batch, 'batch' | 'events'>): Promise<Noted> {
    const known = this.#batches.get(batch);
    if (known) return known;
    if (this.#waiting >= RUNTIME_LIMITS.BATCHES_WAITING_MAX)
      return Promise.resolve({
        error: new EdgeError('cell.overloaded', {
          ...{ operation: 'events', subject: batch, hint: 'wait until batches are noted' },
        }),
      });
    this.#waiting++;
    const noted = this.#last.then(() => this.#write(events)).finally(() => this.#waiting--);
    this.#last = noted;
    this.#batches.set(batch, noted);
    if (this.#batches.size > BATCHES_KEPT) this.#batches.delete(this.#batches.keys().next().value!);
    return noted;
  }

  /** Settles when everything so far is durable or refused. */
  async settled(): Promise<void> {
    await this.#last;
  }

  async #write(events: Batch['events']): Promise<Noted> {
    try {
      let next = this.#now;
      const fresh: NewEvent[] = [];
      for (const event of events) {
        if (event.kind === 'session.entry') fresh.push(this.#entry(event.payload));
        // Of a phase that the run is in, nothing starts again.
        else if (event.payload.phase !== next?.phase) {
          const written = phaseEvent(event.payload, next?.phase);
          fresh.push(written);
          next = { phase: event.payload.phase, facts: written.payload.facts ?? {} };
        }
      }
      if (next !== this.#now && this.#parts.openCalls() > 0)
        throw new EdgeError('runtime.refused', {
          ...{ operation: 'events', subject: next?.phase ?? '' },
          message: `${this.#parts.openCalls()} calls are in progress: a phase is entered between calls`,
        });
      if (fresh.length > 0) await this.#parts.context.emit(fresh);
      if (next !== this.#now) this.#parts.newPhase();
      this.#now = next;
      return {};
    } catch (thrown) {
      return { error: EdgeError.from(thrown, 'log.failed', 'events', this.#parts.context.runId) };
    }
  }

  #entry({
    entry_id,
    parent_id,
    entry,
  }: Extract<Batch['events'][number], { kind: 'session.entry' }>['payload']) {
    return {
      kind: 'session.entry',
      payload: {
        ...{ session_id: this.#parts.context.runId, entry_id },
        ...(parent_id === undefined ? {} : { parent_id }),
        entry: safeCopy(entry, ENTRY_BYTES_MAX, 'entry') as Record<string, unknown>,
      },
    } as const;
  }
}

function phaseEvent(
  { phase, reason, facts }: Extract<Batch['events'][number], { kind: 'run.phase' }>['payload'],
  previous: string | undefined,
): NewEvent<'run.phase'> {
  return {
    kind: 'run.phase',
    payload: {
      ...{ phase, reason: reason.toWellFormed() },
      ...(previous === undefined ? {} : { previous }),
      ...(facts === undefined
        ? {}
        : { facts: safeCopy(facts, LIMITS.FLOW_FACTS_BYTES_MAX, 'facts') as Record<string, unknown> }),
    },
  };
}
