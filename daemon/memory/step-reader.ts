import {
  type AppliedAction,
  type CellContext,
  type Clock,
  EdgeError,
  type Lake,
  type Sample,
  type StepBatch,
  type UnreadSegment,
} from '../../contract/core.ts';
import { appliedAction } from './applied-action.ts';

/** Topics on which controllers record their steps; the rest is the name of the controller. */
export const STEP_TOPICS = '/auraison/actions/';
/** Messages that are read and handed on at a time: a few megabytes of objects. */
const BATCH_MESSAGES = 2_048;
/** Work between two rounds of the projection: events go before. */
const SLICE_MS = 200;
/** A segment that the disk did not give now is tried again after this; meanwhile others are read. */
const RETRY_MS = 60_000;
const WAITING_MAX = 64;

/**
 * Messages of a segment on these topics, by time. Throws `bag.malformed` or `mcap.malformed` where nothing more can
 * be read of it, ever; other errors pass. Parts that cannot be read are told to `onDamage` and left out.
 */
export type OpenSegment = (
  path: string,
  topics: ReadonlySet<string>,
  onDamage: (fault: EdgeError) => void,
) => AsyncIterable<Sample>;

type Open = {
  readonly segment: UnreadSegment;
  readonly messages: AsyncIterator<Sample>;
  told: number;
  unreadable: number;
  fault: string;
};

/**
 * Carries control steps from sealed segments into the lake, one segment after the other, in slices between the
 * rounds of the projection: nobody who controls anything waits for it. Holds one batch of steps and the chunks of
 * one file at a time.
 */
export class StepReader {
  readonly #openSegment: OpenSegment;
  readonly #clock: Clock;
  readonly #report: CellContext['report'];
  #open: Open | undefined;
  /** When a segment that could not be read is due again, by its path. */
  readonly #waiting = new Map<string, number>();

  constructor(openSegment: OpenSegment, clock: Clock, report: CellContext['report']) {
    this.#openSegment = openSegment;
    this.#clock = clock;
    this.#report = report;
  }

  /** Reads for a while; true when there is more to do. Rejects when the lake does. */
  async slice(lake: Lake, isOver: () => boolean): Promise<boolean> {
    const until = this.#clock.monotonicMs() + SLICE_MS;
    while (!isOver() && this.#clock.monotonicMs() < until) {
      this.#open ??= await this.#next(lake);
      if (!this.#open) return false;
      await this.#carry(lake, this.#open);
    }
    return true;
  }

  /** Lets go of the segment that is open; it is begun anew. */
  async drop(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.messages.return?.().catch(() => {});
  }

  async #next(lake: Lake): Promise<Open | undefined> {
    const now = this.#clock.monotonicMs();
    for (const [path, due] of this.#waiting) if (due <= now) this.#waiting.delete(path);
    const unread = await lake.unreadSegments(STEP_TOPICS, this.#waiting.size + 1);
    const segment = unread.find(({ path }) => !this.#waiting.has(path));
    if (!segment) return undefined;
    const open: Open = {
      ...{ segment, told: 0, unreadable: 0, fault: '' },
      messages: this.#openSegment(segment.path, new Set(segment.topics), ({ message }) => {
        open.fault ||= message;
      })[Symbol.asyncIterator](),
    };
    return open;
  }

  /** One batch. */
  async #carry(lake: Lake, open: Open): Promise<void> {
    const steps: AppliedAction[] = [];
    let isEnd = false;
    try {
      isEnd = await this.#fill(open, steps);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'lake.failed', 'read-steps', open.segment.path);
      if (!error.code.endsWith('.malformed')) return this.#postpone(open, error);
      open.fault ||= error.message;
      isEnd = true;
    }
    const { segment, told, fault, unreadable } = open;
    const end: StepBatch['end'] = { fault, unreadable };
    // Should it be the segment that the lake cannot bear, then it does not fail again at once.
    this.#wait(segment);
    const isWanted = await lake.addSteps(segment, { from: told, steps, ...(isEnd ? { end } : {}) });
    this.#waiting.delete(segment.path);
    open.told += steps.length;
    if (isEnd && fault !== '')
      this.#report('warn', `control steps of ${segment.path} are not all in the lake: ${fault}`);
    if (isEnd || !isWanted) await this.drop();
  }

  /** True at the end of the segment. */
  async #fill(open: Open, steps: AppliedAction[]): Promise<boolean> {
    for (let looked = 0; looked < BATCH_MESSAGES; looked++) {
      const { done, value } = await open.messages.next();
      if (done) return true;
      const step = appliedAction(value.type, value.bytes);
      if (step) steps.push(step);
      else open.unreadable += 1;
    }
    return false;
  }

  #wait({ path }: UnreadSegment): void {
    if (this.#waiting.size >= WAITING_MAX) this.#waiting.delete(this.#waiting.keys().next().value!);
    this.#waiting.set(path, this.#clock.monotonicMs() + RETRY_MS);
  }

  async #postpone({ segment }: Open, error: EdgeError): Promise<void> {
    const { path } = segment;
    await this.drop();
    this.#wait(segment);
    this.#report('warn', `control steps of ${path} cannot be read now: ${error.message}`, {
      code: error.code,
    });
  }
}
