import {
  type CellContext,
  type Clock,
  EdgeError,
  type OpenRecorded,
  type RecordedMessage,
  type Timer,
} from '../../contract/core.ts';
import type { TopicSegment, TopicWriter } from './topic-writer.ts';

/** Work between two rounds of the projection: events go before. */
const SLICE_MS = 200;
/** What is handed to the engine in one transaction: messages, and their bytes. */
const BATCH_MESSAGES = 4_096;
const BATCH_BYTES = 8 * 1024 * 1024;
/** Messages between two looks at the time. */
const TURN_MESSAGES = 128;
/** A segment that failed is tried again after this, doubling up to the next; meanwhile others are read. */
const RETRY_FIRST_MS = 60_000;
const RETRY_MAX_MS = 900_000;
/** Segments that could not be read and are tried again later; a removed file without an event is one for ever. */
const WAITING_MAX = 65_536;

type Open = {
  readonly segment: TopicSegment;
  readonly messages: AsyncIterator<RecordedMessage>;
  readonly counts: Map<string, number>;
  /** Requested and not here yet: a slice does not wait for a slow disk. */
  next: Promise<IteratorResult<RecordedMessage>> | undefined;
  batch: RecordedMessage[];
  bytes: number;
  fault: string;
};

/** Runs work on the lake when it is its turn. */
export type InTurn = <T>(work: (writer: TopicWriter) => Promise<T>) => Promise<T>;

/**
 * Carries messages of sealed segments into the tables of topics, one segment after the other, in slices. The lake is
 * held for its transactions only: a disk that hangs holds up nothing but this.
 */
export class TopicReader {
  readonly #open: OpenRecorded;
  readonly #clock: Clock;
  readonly #inTurn: InTurn;
  readonly #report: CellContext['report'];
  readonly #waiting = new Map<string, { readonly dueMs: number; readonly tries: number }>();
  #current: Open | undefined;
  #isDone = false;

  constructor(open: OpenRecorded, clock: Clock, inTurn: InTurn, report: CellContext['report'] = () => {}) {
    this.#open = open;
    this.#clock = clock;
    this.#inTurn = inTurn;
    this.#report = report;
  }

  /** Nothing was left to read when it was last looked, also nothing that failed and is tried again later. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Reads for a while; true when there is more to do. Rejects where the lake does. */
  async slice(isOver: () => boolean): Promise<boolean> {
    const until = this.#clock.monotonicMs() + SLICE_MS;
    let timer: Timer | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = this.#clock.after(SLICE_MS, () => resolve(undefined));
    });
    try {
      while (!isOver() && this.#clock.monotonicMs() < until) {
        this.#current ??= await this.#next();
        if (!this.#current) return false;
        if (!(await this.#carry(this.#current, late))) return true;
      }
      return true;
    } finally {
      timer?.cancel();
    }
  }

  /** Lets go of the segment that is open; it is started again. A file that hangs is not waited for. */
  drop(): void {
    const open = this.#current;
    this.#current = undefined;
    open?.next?.catch(() => {});
    void Promise.resolve(open?.messages.return?.()).catch(() => {});
  }

  async #next(): Promise<Open | undefined> {
    const now = this.#clock.monotonicMs();
    // One more than those that wait, so that files that are gone do not hide the others.
    const unread = await this.#inTurn((writer) => writer.unread(this.#waiting.size + 1));
    const segment = unread.find((one) => (this.#waiting.get(one.segment)?.dueMs ?? now) <= now);
    this.#isDone = unread.length === 0;
    if (!segment) {
      const paths = new Set(unread.map((one) => one.segment));
      for (const path of this.#waiting.keys()) if (!paths.has(path)) this.#waiting.delete(path);
      return undefined;
    }
    await this.#inTurn((writer) => writer.begin(segment));
    const { missing } = segment;
    const open: Open = {
      ...{ segment, counts: new Map(), next: undefined, batch: [], bytes: 0, fault: '' },
      messages: this.#open(segment.segment, {
        wants: (topic, type) => missing.some((spec) => spec.takes(topic, type)),
        onDamage: ({ message }) => {
          open.fault ||= message;
        },
      })[Symbol.asyncIterator](),
    };
    return open;
  }

  /** One batch; false where the time is over before it is full. */
  async #carry(open: Open, late: Promise<undefined>): Promise<boolean> {
    let isEnd = false;
    try {
      for (let turn = 1; !isEnd && open.batch.length < BATCH_MESSAGES && open.bytes < BATCH_BYTES; turn++) {
        open.next ??= open.messages.next();
        const found = await Promise.race([open.next, late]);
        if (!found) return false;
        open.next = undefined;
        if (found.done) isEnd = true;
        else this.#take(open, found.value);
        if (turn % TURN_MESSAGES === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch (thrown) {
      const isDamage = thrown instanceof EdgeError && thrown.code.endsWith('.malformed');
      if (!isDamage) return this.#postpone(open, thrown);
      open.fault ||= thrown.message;
      isEnd = true;
    }
    const { segment, counts, fault, batch } = open;
    [open.batch, open.bytes] = [[], 0];
    const isWanted = await this.#inTurn((writer) =>
      writer.add(segment, batch, isEnd ? { fault, counts } : undefined),
    ).catch((thrown: unknown) => {
      // Should it be the segment that the lake cannot bear, then it does not fail again at once.
      this.#postpone(open, thrown);
      throw thrown;
    });
    if (!isEnd && isWanted) return true;
    if (fault !== '')
      this.#report('warn', `some messages of ${segment.segment} are missing in the lakehouse: ${fault}`);
    this.#waiting.delete(segment.segment);
    this.drop();
    return true;
  }

  /** Large payloads stay in the segment: a batch holds no more than its budget of them at a time. */
  #take(open: Open, message: RecordedMessage): void {
    const { topic, type, bytes } = message;
    for (const { name, takes } of open.segment.missing)
      if (takes(topic, type)) open.counts.set(name, (open.counts.get(name) ?? 0) + 1);
    open.batch.push(message);
    open.bytes += bytes.byteLength;
  }

  #postpone({ segment: { segment } }: Open, thrown: unknown): boolean {
    this.drop();
    const tries = (this.#waiting.get(segment)?.tries ?? 0) + 1;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (tries - 1));
    if (this.#waiting.size >= WAITING_MAX) this.#waiting.clear();
    this.#waiting.set(segment, { dueMs: this.#clock.monotonicMs() + pauseMs, tries });
    if (tries === 1)
      this.#report('warn', `messages of ${segment} cannot be read now: ${(thrown as Error).message}`);
    return true;
  }
}
