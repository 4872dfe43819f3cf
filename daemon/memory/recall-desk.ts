import { setImmediate as turn } from 'node:timers/promises';
import {
  type AgentEvent,
  type CellContext,
  type DocumentShelf,
  EdgeError,
  type EventPayload,
  type IdSource,
  RECALL_KINDS,
  RECALL_LIMITS,
  type RecallAgain,
  type RecallAnswer,
  type RecallAsker,
  type RecallFilter,
  type RecallIndex,
  type RecallRequest,
  type RecallStatus,
  type Timer,
} from '../../contract/core.ts';
import type { OpenReader } from './projector.ts';
import { type Compared, differencesOf } from './recall-compare.ts';
import { RecallFeed } from './recall-feed.ts';
import { digestOf, search, wordsOf } from './recall-search.ts';
import { cleanText } from './recall-texts.ts';
import { type FindEmbedder, RecallVectors } from './recall-vectors.ts';

/** Questions that may wait for their turn. */
const WAITING_MAX = 16;
/** Of one question: reading what is new, and vectors of it, milliseconds. */
const READ_MS = 4_000;
const VECTORS_MS = 2_500;
/** The index is closed, and the model ended, when nothing was asked for so long, milliseconds. */
const REST_MS = 30_000;
const REMOVE_BATCH = 500;

export type RecallPorts = {
  /** Makes the index where it is missing; may throw, then the caller gets that. */
  openIndex(): RecallIndex;
  readonly openReader: OpenReader;
  readonly shelf: DocumentShelf;
  readonly findEmbedder: FindEmbedder;
  readonly ids: IdSource;
  readonly restMs?: number;
};
type Context = Pick<CellContext, 'clock' | 'emit' | 'report'>;
type Asked = { readonly question: string; readonly limit: number; readonly filter: RecallFilter };

/**
 * Finds texts again for agents and people. Nothing is open before the first question. Each answer is in the log before
 * it is given: what a model was given is known, and can be asked again. Questions have their turn one after the other.
 */
export class RecallDesk {
  readonly #context: Context;
  readonly #ports: RecallPorts;
  readonly #feed: RecallFeed;
  readonly #vectors: RecallVectors;
  #index: RecallIndex | undefined;
  #before: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #idle: Timer | undefined;
  #stopped = false;
  #counts = { texts: 0, waiting: 0 };
  #notes: readonly string[] = [];

  constructor(context: Context, ports: RecallPorts) {
    const { clock } = context;
    this.#context = context;
    this.#ports = ports;
    this.#feed = new RecallFeed({ clock, openReader: ports.openReader, shelf: ports.shelf });
    this.#vectors = new RecallVectors(clock, ports.findEmbedder);
  }

  /** Rejects with `schema.invalid`, `cell.overloaded`, `lake.failed`, and `log.failed`: what is not recorded is not given. */
  ask(body: RecallRequest): Promise<RecallAnswer> {
    return this.#turn((index) => this.#ask(index, body));
  }

  /** Asks a recorded question again. Rejects with `recall.not_found` too. */
  again({ recallId, by }: { readonly recallId: string; readonly by: RecallAsker }): Promise<RecallAgain> {
    return this.#turn((index) => this.#again(index, recallId, by));
  }

  /** Drops the index and fills it again, in short batches. */
  rebuild(): Promise<void> {
    return this.#turn((index) => this.#rebuild(index));
  }

  status(): RecallStatus {
    const counts = this.#index?.counts() ?? this.#counts;
    const isOpen = this.#index !== undefined;
    return { open: isOpen, ...counts, ...this.#vectors.state(), notes: [...this.#notes] };
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#vectors.stop();
    await this.#before;
    await this.#rest();
  }

  async #ask(index: RecallIndex, body: RecallRequest): Promise<RecallAnswer> {
    const { clock, emit } = this.#context;
    const { question = '', kinds = RECALL_KINDS, limit = RECALL_LIMITS.TEXTS, withinS, by, runId } = body;
    const words = checked(question, body);
    const fed = await this.#feed.catchUp(index, clock.monotonicMs() + READ_MS);
    const at = clock.now();
    // The clock of a robot may be set back: what was said before that is there too.
    const [newest] = index.texts(index.newest({ kinds: RECALL_KINDS }, 1).map(({ row }) => row));
    const untilUs = Math.max(Number(at / 1_000n), newest?.atUs ?? 0);
    const sinceUs =
      withinS === undefined ? undefined : Math.max(0, Number(at / 1_000n) - Math.round(withinS * 1e6));
    const filter: RecallFilter = {
      ...{ kinds: [...kinds], untilUs },
      ...(by.all ? {} : { tenant: by.tenant }),
      ...(sinceUs === undefined ? {} : { sinceUs }),
    };
    const found = await this.#found(index, { question: words, limit, filter }, fed);
    const recallId = this.#ports.ids.next<string>();
    const { texts, modelSha256, notes, ...how } = found;
    const payload: EventPayload<'recall.answered'> = {
      ...{ recall_id: recallId, question: words, kinds: [...kinds], limit, until_us: untilUs },
      ...(sinceUs === undefined ? {} : { since_us: sinceUs }),
      ...{ tenant: by.tenant, principal: by.principal, all: by.all, ...how, why: how.why.slice(0, 512) },
      ...{ model_sha256: modelSha256, notes: notes.slice(0, 16), texts: texts.map((text) => ({ ...text })) },
    };
    await emit([{ kind: 'recall.answered', ...(runId === undefined ? {} : { run_id: runId }), payload }]);
    return { recallId, at: `${at}`, ...found };
  }

  async #again(index: RecallIndex, recallId: string, by: RecallAsker): Promise<RecallAgain> {
    const fed = await this.#feed.catchUp(index, this.#context.clock.monotonicMs() + READ_MS);
    const event = this.#recorded(index, recallId, by);
    const { recall_id: _, since_us, until_us, model_sha256, all, ...then } = event.payload;
    const { question, kinds, limit, tenant } = then;
    const filter: RecallFilter = {
      ...{ kinds, untilUs: until_us },
      ...(all ? {} : { tenant }),
      ...(since_us === undefined ? {} : { sinceUs: since_us }),
    };
    const now = await this.#found(index, { question, limit, filter }, fed);
    const recorded = { ...then, recallId, at: event.ts, modelSha256: model_sha256, runId: event.run_id };
    const today = (id: string) => index.digestOf(id);
    return {
      recorded,
      same: recorded.sha256 === now.sha256,
      differences: [...differencesOf(recorded, now, today)],
      now,
    };
  }

  /** Throws `recall.not_found`: it is unknown, it belongs to another tenant, or its event was removed from the log. */
  #recorded(index: RecallIndex, recallId: string, by: RecallAsker): AgentEvent<'recall.answered'> {
    const held = index.held(`recall:${recallId}`);
    const { tenant, seq } = JSON.parse(held ?? '{}') as { tenant?: string; seq?: string };
    const isTheirs = by.all || tenant === by.tenant;
    const [event] = isTheirs && seq !== undefined ? this.#feed.reader('memory').read(Number(seq) - 1, 1) : [];
    if (event?.kind === 'recall.answered' && event.payload.recall_id === recallId) return event;
    throw new EdgeError('recall.not_found', {
      ...{ operation: 'recall again', subject: recallId.slice(0, 64) },
      hint: 'its event may have been removed from the log: auraison query "from events where kind = \'recall.answered\'"',
    });
  }

  async #found(
    index: RecallIndex,
    { question, limit, filter }: Asked,
    fed: { readonly unread: number; readonly notes: readonly string[] },
  ): Promise<Compared> {
    const meant = question === '' ? undefined : await this.#vectors.of(index, question, VECTORS_MS);
    const texts = await search(index, { question, vector: meant?.vector, filter, limit });
    this.#counts = index.counts();
    this.#notes = fed.notes;
    const model = meant?.vector ? meant.model : undefined;
    return {
      how: question === '' ? 'newest' : model ? 'meaning' : 'words',
      why: meant && !meant.vector ? meant.why : '',
      ...{ model: model?.name ?? '', modelSha256: model?.sha256 ?? '' },
      ...{ waiting: model ? this.#counts.waiting : 0, unread: fed.unread, notes: [...fed.notes] },
      ...{ texts: [...texts], sha256: digestOf(texts) },
    };
  }

  async #rebuild(index: RecallIndex): Promise<void> {
    const { clock } = this.#context;
    await this.#feed.drop(index);
    await this.#feed.catchUp(index, clock.monotonicMs() + RECALL_LIMITS.ASK_MS);
    while (index.sweep(REMOVE_BATCH)) await turn();
  }

  /** One after the other, in order. Rejects with `cell.overloaded` and with what the work rejects with. */
  async #turn<T>(work: (index: RecallIndex) => Promise<T>): Promise<T> {
    if (this.#stopped) throw refused('lake.unavailable', 'the cell is stopping');
    if (this.#waiting >= WAITING_MAX)
      throw refused('cell.overloaded', `${WAITING_MAX} questions wait already`);
    this.#waiting += 1;
    this.#idle?.cancel();
    const done = this.#before.then(() => {
      // One that waited for its turn does not hold up the end of the cell.
      if (this.#stopped) throw refused('lake.unavailable', 'the cell is stopping');
      this.#index ??= this.#ports.openIndex();
      return work(this.#index);
    });
    this.#before = done.catch((thrown: unknown) => this.#failed(thrown));
    try {
      return await done;
    } finally {
      this.#waiting -= 1;
      this.#restLater();
    }
  }

  /** An index that failed is closed: the next question opens it again, or a new one where it was damaged. */
  async #failed(thrown: unknown): Promise<void> {
    if (thrown instanceof EdgeError && thrown.code === 'lake.failed') await this.#rest();
  }

  #restLater(): void {
    this.#idle?.cancel();
    if (this.#stopped) return;
    this.#idle = this.#context.clock.after(this.#ports.restMs ?? REST_MS, () => {
      if (this.#waiting > 0 || this.#vectors.isFilling) this.#restLater();
      else void this.#rest();
    });
  }

  async #rest(): Promise<void> {
    this.#idle?.cancel();
    const index = this.#index;
    this.#index = undefined;
    this.#feed.close();
    await this.#vectors.stop();
    try {
      index?.close();
    } catch (error) {
      this.#context.report('warn', 'the index of recall was not closed', { error: String(error) });
    }
  }
}

function refused(code: 'lake.unavailable' | 'cell.overloaded', message: string): EdgeError {
  return new EdgeError(code, { operation: 'recall', subject: 'memory cell', message });
}

/** The question as it is searched for. Throws `schema.invalid`. */
function checked(question: string, { question: given }: RecallRequest): string {
  const words = cleanText(question);
  if (given === undefined || wordsOf(words).length > 0) return words;
  throw new EdgeError('schema.invalid', {
    ...{ operation: 'recall', subject: 'question' },
    message: '/question: at least one letter or digit expected',
    hint: 'ask in words, for example: where is the charging station?',
  });
}
