import {
  type AppliedAction,
  type CellContext,
  type Clock,
  EdgeError,
  type Lake,
  type Sample,
  type StepBatch,
  type Timer,
  type UnreadSegment,
} from '../../contract/core.ts';
import { appliedAction } from './applied-action.ts';

/** Topics on which controllers record their steps; the rest is the name of the controller. */
export const STEP_TOPICS = '/auraison/actions/';
/** Messages that are read and handed on at a time: a few megabytes of objects. */
const BATCH_MESSAGES = 2_048;
/** Work between two rounds of the projection: events go before. */
const SLICE_MS = 200;
/** A segment that failed is tried again after this, doubling up to the next; meanwhile others are read. */
const RETRY_FIRST_MS = 60_000;
const RETRY_MAX_MS = 900_000;
/** Segments that wait for that. When there are so many, no other is started: only these, when they are due. */
export const WAITING_MAX = 1_024;
/** A file that hangs is let go of without waiting for it any longer. */
const LET_GO_MS = 1_000;

/**
 * Messages of a segment on these topics, by time. Throws `bag.malformed` or `mcap.malformed` where nothing more can
 * be read of it, ever; other errors pass, also that there is no file: a disk may be absent. Parts that cannot be read
 * are reported to `onDamage` and left out.
 */
export type OpenSegment = (
  path: string,
  topics: ReadonlySet<string>,
  onDamage: (fault: EdgeError) => void,
) => AsyncIterable<Sample>;

type Open = {
  readonly segment: UnreadSegment;
  readonly messages: AsyncIterator<Sample>;
  /** Asked for and not here yet: a slice does not wait for a slow disk. */
  asked: Promise<IteratorResult<Sample>> | undefined;
  told: number;
  unreadable: number;
  fault: string;
};
type Waiting = { readonly dueMs: number; readonly tries: number; readonly isRefused: boolean };

/**
 * Carries control steps from sealed segments into the lake, one segment after the other, in slices between the
 * rounds of the projection: no control loop waits for it. Holds one batch of steps and the chunks of
 * one file at a time.
 */
export class StepReader {
  readonly #openSegment: OpenSegment;
  readonly #clock: Clock;
  readonly #report: CellContext['report'];
  #open: Open | undefined;
  /** A file that was let go of and is not closed yet; until then no other is opened. */
  #closing: Promise<unknown> | undefined;
  /** Segments that failed, by their path. */
  readonly #waiting = new Map<string, Waiting>();
  #looked = 0;

  constructor(openSegment: OpenSegment, clock: Clock, report: CellContext['report']) {
    this.#openSegment = openSegment;
    this.#clock = clock;
    this.#report = report;
  }

  /** Messages looked at since the start. */
  get looked(): number {
    return this.#looked;
  }

  /** The lake refused a segment that is still to be read. */
  get isRefused(): boolean {
    return [...this.#waiting.values()].some((one) => one.isRefused);
  }

  /** Reads for a while; true when there is more to do. Rejects when the lake does. */
  async slice(lake: Lake, isOver: () => boolean): Promise<boolean> {
    const until = this.#clock.monotonicMs() + SLICE_MS;
    const isPast = () => isOver() || this.#clock.monotonicMs() >= until;
    let isTime = false;
    const time = within(this.#clock, SLICE_MS);
    void time.over.then(() => {
      isTime = true;
    });
    try {
      while (!isTime && !isPast()) {
        this.#open ??= await this.#next(lake);
        if (!this.#open) return this.#closing !== undefined;
        await this.#carry(lake, this.#open, time.over, isPast);
      }
      return true;
    } finally {
      time.cancel();
    }
  }

  /** Lets go of the segment that is open; it is started again. */
  async drop(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (!open) return;
    // Closing waits for what is asked for: of a disk that hangs, for ever.
    open.asked?.catch(() => {});
    const closing = Promise.resolve(open.messages.return?.())
      .catch(() => {})
      .finally(() => {
        if (this.#closing === closing) this.#closing = undefined;
      });
    this.#closing = closing;
    const time = within(this.#clock, LET_GO_MS);
    await Promise.race([closing, time.over]);
    time.cancel();
  }

  /** One that never failed; else the one of those that did which is due for longest. */
  async #next(lake: Lake): Promise<Open | undefined> {
    if (this.#closing) return undefined;
    const now = this.#clock.monotonicMs();
    const unread = await lake.unreadSegments(STEP_TOPICS, WAITING_MAX + 1);
    const paths = new Set(unread.map(({ path }) => path));
    for (const path of this.#waiting.keys()) if (!paths.has(path)) this.#waiting.delete(path);
    const dueMs = ({ path }: UnreadSegment) => this.#waiting.get(path)?.dueMs ?? Number.POSITIVE_INFINITY;
    const due = unread.filter((one) => dueMs(one) <= now).sort((a, b) => dueMs(a) - dueMs(b))[0];
    const isFull = this.#waiting.size >= WAITING_MAX;
    const segment = isFull ? due : (unread.find(({ path }) => !this.#waiting.has(path)) ?? due);
    if (!segment) return undefined;
    const open: Open = {
      ...{ segment, asked: undefined, told: 0, unreadable: 0, fault: '' },
      messages: this.#openSegment(segment.path, new Set(segment.topics), ({ message }) => {
        open.fault ||= message;
      })[Symbol.asyncIterator](),
    };
    return open;
  }

  /** One batch, or what there is of it when the time is over. */
  async #carry(lake: Lake, open: Open, over: Promise<undefined>, isPast: () => boolean): Promise<void> {
    const { segment } = open;
    const steps: AppliedAction[] = [];
    let isEnd = false;
    try {
      isEnd = await this.#fill(open, steps, over, isPast);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'lake.failed', 'read-steps', segment.path);
      if (!error.code.endsWith('.malformed')) return this.#postpone(segment, error);
      open.fault ||= error.message;
      isEnd = true;
    }
    if (!isEnd && steps.length === 0) return;
    const { told, fault, unreadable } = open;
    const end: StepBatch['end'] = { fault, unreadable };
    let isWanted: boolean;
    try {
      isWanted = await lake.addSteps(segment, { from: told, steps, ...(isEnd ? { end } : {}) });
    } catch (thrown) {
      // Should it be the segment that the lake cannot bear, then it does not fail again at once.
      await this.drop();
      this.#wait(segment, true);
      throw thrown;
    }
    open.told += steps.length;
    if (!isEnd && isWanted) return;
    this.#waiting.delete(segment.path);
    if (isEnd && fault !== '')
      this.#report('warn', `some control steps of ${segment.path} are missing in the lakehouse: ${fault}`);
    await this.drop();
  }

  /** True at the end of the segment. */
  async #fill(
    open: Open,
    steps: AppliedAction[],
    over: Promise<undefined>,
    isPast: () => boolean,
  ): Promise<boolean> {
    for (let looked = 0; looked < BATCH_MESSAGES; looked++) {
      open.asked ??= open.messages.next();
      const next = await Promise.race([open.asked, over]);
      if (!next) return false;
      open.asked = undefined;
      if (next.done) return true;
      this.#looked += 1;
      const step = appliedAction(next.value.type, next.value.bytes);
      if (step) steps.push(step);
      else open.unreadable += 1;
      if (isPast()) return false;
    }
    return false;
  }

  /** There is room: a segment is only started where there is. */
  #wait({ path }: UnreadSegment, isRefused: boolean): number {
    const tries = (this.#waiting.get(path)?.tries ?? 0) + 1;
    const pauseMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** (tries - 1));
    this.#waiting.set(path, { dueMs: this.#clock.monotonicMs() + pauseMs, tries, isRefused });
    return tries;
  }

  async #postpone(segment: UnreadSegment, error: EdgeError): Promise<void> {
    await this.drop();
    const tries = this.#wait(segment, false);
    if (tries > 1) return;
    this.#report('warn', `control steps of ${segment.path} cannot be read now: ${error.message}`, {
      code: error.code,
    });
  }
}

/** Resolves to undefined when the time is over; never, once it is cancelled. */
function within(clock: Clock, ms: number): { readonly over: Promise<undefined>; cancel(): void } {
  let timer: Timer | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = clock.after(ms, () => resolve(undefined));
  });
  return { over, cancel: () => timer?.cancel() };
}
