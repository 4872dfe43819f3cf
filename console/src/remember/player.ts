/** Plays a recording to the panels of a page: one time for all of them. Pure. */
import type { Take } from '../see/link/live-link.ts';
import type { LiveSample } from '../see/link/sample.ts';
import type { BagReader } from './bag-reader.ts';

export type PlayerParts = SpanNs & {
  readonly reader: Pick<BagReader, 'messages' | 'before'>;
  /** Something that a person sees has changed. */
  readonly changed: () => void;
};

export const RATES: readonly number[] = [0.25, 0.5, 1, 2, 4];
/** What is read ahead of the cursor: time at rate 1, and bytes. */
const AHEAD_S = 2;
const AHEAD_BYTES = 24 * 1024 * 1024;
/** After a pause of the browser the play continues where it was, seconds. */
const STEP_MAX_S = 0.25;

/** Seconds of a page are exact to a part of a microsecond: at or before the time, and at or after it. */
export const nsOf = (timeS: number): bigint => BigInt(Math.floor(timeS * 1e6)) * 1_000n;
export const nsAfter = (timeS: number): bigint => BigInt(Math.ceil(timeS * 1e6)) * 1_000n;

type SpanNs = { readonly startNs: bigint; readonly endNs: bigint };

/** A part of a recording, both ends inclusive; undefined: all of it. */
export function partNs(
  { startNs, endNs }: SpanNs,
  part: readonly [number, number] | undefined,
): readonly [bigint, bigint] {
  const [fromS, toS] = part ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  return [
    fromS <= Number(startNs) / 1e9 ? startNs : nsOf(fromS),
    toS >= Number(endNs) / 1e9 ? endNs : nsAfter(toS),
  ];
}

export class Player {
  readonly isRecorded = true;
  readonly startS: number;
  readonly endS: number;
  readonly span: SpanNs;
  readonly #parts: PlayerParts;
  readonly #followers = new Map<string, Set<Take>>();
  readonly #seekers = new Set<() => void>();
  #queue: LiveSample[] = [];
  #queued = 0;
  #readToS = Number.NEGATIVE_INFINITY;
  #reading = new AbortController();
  #room: (() => void) | undefined;
  #isLooking = false;
  #again = false;
  #isDue = false;
  #lastMs: number | undefined;
  timeS: number;
  rate = 1;
  playing = false;
  /** The cursor waits for bytes. */
  waiting = false;
  fault = '';

  constructor(parts: PlayerParts) {
    this.#parts = parts;
    this.span = { startNs: parts.startNs, endNs: parts.endNs };
    this.startS = Number(parts.startNs) / 1e9;
    this.endS = Number(parts.endNs) / 1e9;
    this.timeS = this.startS;
  }

  /** What the panels show is not yet of the time of the cursor. */
  get isBusy(): boolean {
    return this.#isLooking || this.waiting;
  }

  /** Every sample of a topic as the cursor passes it, and after each jump what the topic held there. */
  follow(topic: string, take: Take): () => void {
    const followers = this.#followers.get(topic) ?? new Set();
    this.#followers.set(topic, followers);
    followers.add(take);
    // Panels that are shown together read together.
    if (!this.#isDue)
      queueMicrotask(() => {
        this.#isDue = false;
        this.#look();
      });
    this.#isDue = true;
    return () => {
      followers.delete(take);
      if (followers.size > 0 || this.#followers.get(topic) !== followers) return;
      this.#followers.delete(topic);
    };
  }

  /** Called when the cursor jumps, before the samples of there: what was shown is of another time. */
  onSeek(call: () => void): () => void {
    this.#seekers.add(call);
    return () => void this.#seekers.delete(call);
  }

  play(): void {
    if (this.timeS >= this.endS) this.seek(this.startS);
    this.playing = true;
    this.#lastMs = undefined;
    this.#parts.changed();
  }

  pause(): void {
    this.playing = false;
    this.#parts.changed();
  }

  setRate(rate: number): void {
    this.rate = rate;
    this.#room?.();
    this.#parts.changed();
  }

  seek(timeS: number): void {
    this.timeS = Math.min(this.endS, Math.max(this.startS, timeS));
    this.#look();
    this.#parts.changed();
  }

  /** The page is left. */
  close(): void {
    this.playing = false;
    this.#followers.clear();
    this.#reading.abort();
  }

  /** Moves the cursor; to be called before each frame of the screen. */
  tick(nowMs: number): void {
    const stepS = Math.min(STEP_MAX_S, (nowMs - (this.#lastMs ?? nowMs)) / 1_000);
    this.#lastMs = nowMs;
    if (!this.playing || this.#isLooking) return;
    const nextS = Math.min(this.endS, this.timeS + stepS * this.rate);
    const waits = nextS > this.#readToS && this.#readToS < this.endS;
    if (waits !== this.waiting) {
      this.waiting = waits;
      this.#parts.changed();
    }
    this.timeS = Math.max(this.timeS, Math.min(nextS, this.#readToS));
    let passed = 0;
    while (passed < this.#queue.length && this.#queue[passed]!.timeS <= this.timeS) passed += 1;
    for (const sample of this.#queue.splice(0, passed)) {
      this.#queued -= sample.bytes.length;
      this.#give(sample);
    }
    this.#room?.();
    if (this.timeS >= this.endS) this.pause();
  }

  /** What has come until this time is what it shows. */
  #nsOf(timeS: number): bigint {
    return partNs(this.span, [timeS, timeS])[1];
  }

  /** One jump at a time: while bytes are read for one, only the newest of the next ones counts. */
  #look(): void {
    if (this.#isLooking) {
      this.#again = true;
      return;
    }
    this.#isLooking = true;
    void this.#lookNow();
  }

  async #lookNow(): Promise<void> {
    do {
      this.#again = false;
      this.#reading.abort();
      const reading = new AbortController();
      this.#reading = reading;
      this.#queue = [];
      this.#queued = 0;
      const { timeS } = this;
      const topics = [...this.#followers.keys()];
      try {
        const held = await this.#parts.reader.before(topics, this.#nsOf(timeS), reading.signal);
        for (const call of this.#seekers) call();
        for (const sample of held) this.#give(sample);
        this.fault = '';
        this.#readToS = timeS;
        if (!this.#again) void this.#readAhead(topics, timeS, reading.signal);
      } catch (error) {
        this.fault = (error as Error).message;
      }
    } while (this.#again);
    this.#isLooking = false;
    this.#lastMs = undefined;
    this.#parts.changed();
  }

  async #readAhead(topics: readonly string[], fromS: number, signal: AbortSignal): Promise<void> {
    try {
      const { reader, endNs } = this.#parts;
      for await (const sample of reader.messages(topics, this.#nsOf(fromS) + 1n, endNs, signal)) {
        if (signal.aborted) return;
        this.#queue.push(sample);
        this.#queued += sample.bytes.length;
        this.#readToS = Math.max(this.#readToS, sample.timeS);
        while (this.#isFar(sample.timeS) && !signal.aborted)
          await new Promise<void>((resolve) => {
            this.#room = resolve;
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
      }
      if (!signal.aborted) this.#readToS = this.endS;
    } catch (error) {
      if (signal.aborted) return;
      this.fault = (error as Error).message;
      this.pause();
    }
  }

  #isFar(timeS: number): boolean {
    return this.#queued > AHEAD_BYTES || timeS > this.timeS + AHEAD_S * Math.max(1, this.rate);
  }

  #give(sample: LiveSample): void {
    for (const take of [...(this.#followers.get(sample.channel.topic) ?? [])]) take(sample);
  }
}
