import {
  type AgentEvent,
  type BlobStore,
  EdgeError,
  type EventPayload,
  type MapSnapshot,
  type MotionResult,
  type Nanoseconds,
  type Robot,
  type RobotState,
} from '../../../contract/index.ts';
import { decodeMap, decodeState, ObservedMemory } from '../robot/observed-codec.ts';
import type { ReplayClock } from './replay-clock.ts';

type Read = EventPayload<'robot.observed'>['reads'][number];

/** Never settles: what the record does not know the end of. */
const forever = () => new Promise<never>(() => {});

export type RecordedRobotParts = {
  /** Of the attempt from its start: a read builds on the one before. */
  readonly events: readonly AgentEvent[];
  /** Reads that are not asked for again, since what was concluded from them is given. */
  readonly skip: number;
  readonly clock: ReplayClock | undefined;
  readonly blobs: BlobStore | undefined;
  /** The record has more to be done again: a read that it does not hold is another way. */
  expectsMore(): boolean;
};

/** The robot as the record has it: what was read is read again. It moves nothing and reaches nothing. */
export class RecordedRobot implements Robot {
  readonly #parts: RecordedRobotParts;
  readonly #reads: Read[];
  readonly #memory = new ObservedMemory();
  #at = 0;
  #origin: { readonly clock: number; readonly record: number } | undefined;
  #lastTime: Nanoseconds | undefined;
  #skipped: Promise<void> | undefined;
  /** The last map that was read is not here; the maps that build on it are not available either. */
  #mapIsLost = false;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(parts: RecordedRobotParts) {
    this.#parts = parts;
    this.#reads = parts.events.flatMap((event) =>
      event.kind === 'robot.observed' ? event.payload.reads : [],
    );
  }

  lastTime(): Nanoseconds | undefined {
    return this.#lastTime;
  }

  async state(): Promise<RobotState> {
    const state = (await this.#next('state')) as RobotState;
    this.#lastTime = state.time;
    return state;
  }

  map(): Promise<MapSnapshot | undefined> {
    return this.#next('map') as Promise<MapSnapshot | undefined>;
  }

  navigate(): Promise<MotionResult> {
    return Promise.reject(unreachable('navigate'));
  }

  maneuver(): Promise<MotionResult> {
    return Promise.reject(unreachable('maneuver'));
  }

  /** There is nothing that moves. */
  async stop(): Promise<void> {}

  /** One after the other: each builds on the one before. */
  #next(what: Read['what']): Promise<unknown> {
    const next = this.#queue.then(() => this.#read(what));
    this.#queue = next.catch(() => undefined);
    return next;
  }

  async #read(what: Read['what']): Promise<unknown> {
    this.#skipped ??= this.#skip();
    await this.#skipped;
    const read = this.#reads[this.#at];
    if (!read) return this.#parts.expectsMore() ? Promise.reject(missing(what)) : await forever();
    if (read.what !== what) throw other(what, read.what);
    this.#at++;
    this.#reach(read.at_ms);
    if (read.error) {
      await this.#decode(read, false);
      throw EdgeError.fromBody(read.error);
    }
    return await this.#decode(read, true);
  }

  async #skip(): Promise<void> {
    for (; this.#at < this.#parts.skip; this.#at++) {
      const read = this.#reads[this.#at];
      if (read && !read.error) await this.#decode(read, false);
    }
  }

  async #decode(read: Read, wanted: boolean): Promise<unknown> {
    if (read.error) return undefined;
    const { value } = read;
    const gone = () => {
      if (read.what === 'map') this.#mapIsLost = true;
      if (wanted) throw lost(read.what);
      return undefined;
    };
    if (value?.['lost'] !== undefined) return gone();
    if (read.what === 'state') return decodeState(this.#memory, value);
    // What builds on a map that is gone is gone with it; the next whole one is not.
    if (this.#mapIsLost && (value === undefined || value['delta'] === true)) return gone();
    const blob = value?.['blob'];
    const bytes = typeof blob === 'string' ? await this.#parts.blobs?.get(blob) : undefined;
    if (typeof blob === 'string' && !bytes) return gone();
    this.#mapIsLost = false;
    const cells = bytes ? { cells: Buffer.from(bytes).toString('base64') } : {};
    return decodeMap(this.#memory, value && { ...value, ...cells });
  }

  /** The clock of the record continues between two reads: how often was looked may hang on it. */
  #reach(record: number): void {
    const { clock } = this.#parts;
    if (!clock) return;
    this.#origin ??= { clock: clock.monotonicMs(), record };
    clock.reach(this.#origin.clock + (record - this.#origin.record));
  }
}

/** Reads of an attempt that were made before its run came to the phase it is entered again in. */
export function readsBefore(attempt: readonly AgentEvent[], upTo: number): number {
  let phase = 0;
  for (let i = 0; i < upTo; i++) if (attempt[i]!.kind === 'run.phase') phase = i;
  let reads = 0;
  for (const event of attempt.slice(0, phase))
    if (event.kind === 'robot.observed') reads += event.payload.reads.length;
  return reads;
}

function diverged(message: string): EdgeError {
  return new EdgeError('replay.diverged', { operation: 'read robot', subject: 'robot', message });
}

const missing = (what: string) =>
  diverged(`the run looks at the ${what} of its robot once more than the record did`);
const other = (what: string, recorded: string) =>
  diverged(`the run looks at the ${what} of its robot where the record looked at its ${recorded}`);
const lost = (what: string) => diverged(`the record does not hold the ${what} that was read here`);
const unreachable = (operation: string) =>
  new EdgeError('robot.not_supported', {
    operation,
    subject: 'robot',
    message: 'a replay moves nothing: motions are answered from the record',
  });
