import type { Clock } from '../../../contract/core.ts';
import type { ChannelEntry } from './channel-table.ts';

/**
 * Samples may come in another order; one that is older by more than this has another clock, or one that was set back.
 */
const STEP_NS = 1_000_000_000n;
/**
 * Only then is a clock taken for set back: it runs for so many samples and so long, and the later one is silent.
 */
const STEP_SAMPLES = 3;
const STEP_MS = 1_000;
/**
 * Clocks that are kept apart: those of hosts, of a simulation, and what they were before a step. The clock that was
 * silent for longest is dropped.
 */
const CLOCKS_MAX = 8;
/** A clock that was heard within this time counts as running, milliseconds. */
const RUNNING_MS = 2_000;
/** Where all channels are is looked up no more often, milliseconds; in between the former answer is less strict. */
const MARK_EVERY_MS = 1_000;

/** Where in the recording the clock of the samples was last set back: what lies before has times that come again. */
export type ArrivedSince = {
  /**
   * By number of a channel: the sequence number of its first sample since then. A channel that is missing started
   * later.
   */
  readonly sequences: Readonly<Record<number, number>>;
  /** By bag: its first segment of this life. Those of former lives are older, and count their samples separately. */
  readonly segments: Readonly<Record<string, number>>;
};

/** The samples of one clock: times that continue from one to the next, or by as much as passed meanwhile. */
type Line = {
  newestNs: bigint;
  /** When the last sample came, by our clock. */
  seenMs: number;
  samples: number;
  /** The later clock that it may have been before it was set back. */
  step: Step | undefined;
  /** What holds where there was no such step. */
  readonly former: ArrivedSince | undefined;
};
type Step = {
  readonly later: Line;
  readonly samplesOfLater: number;
  readonly sinceMs: number;
  readonly mark: ArrivedSince;
};

/**
 * The newest sample by the clock of the source, and what came before that clock was set back. Several clocks may come
 * in turn (simulation and wall time), and a single sample be far off: nothing is set back as long as the later clock
 * runs. In doubt nothing was, and a clip holds more. No I/O.
 */
export class ArrivalOrder {
  readonly #clock: Clock;
  readonly #channels: () => Iterable<ChannelEntry>;
  readonly #lines: Line[] = [];
  /** That of the newest sample. */
  #line: Line | undefined;
  #segments: ArrivedSince['segments'] = {};
  #mark: ArrivedSince | undefined;
  #markMs = 0;

  constructor(clock: Clock, channels: () => Iterable<ChannelEntry>) {
    this.#clock = clock;
    this.#channels = channels;
  }

  /** The number of the next segment of a bag, when its recording starts or starts again in this life. */
  begins(bag: string, segment: number): void {
    if (!Object.hasOwn(this.#segments, bag)) this.#segments = { ...this.#segments, [bag]: segment };
  }

  /** Of each sample, before it is counted. */
  take(receivedNs: bigint): void {
    const nowMs = this.#clock.monotonicMs();
    const line = this.#lineOf(receivedNs, nowMs) ?? this.#begin(receivedNs, nowMs);
    if (receivedNs > line.newestNs) line.newestNs = receivedNs;
    line.seenMs = nowMs;
    line.samples += 1;
    this.#line = line;
  }

  /** When the newest sample was received, by the clock of its source, which may be set back; 0 before the first. */
  get newestNs(): bigint {
    return this.#line?.newestNs ?? 0n;
  }

  /** What belongs to the time that is shown now; undefined: all of it, since no clock was set back. */
  get since(): ArrivedSince | undefined {
    return this.#line && sinceOf(this.#line, this.#clock.monotonicMs());
  }

  #lineOf(ns: bigint, nowMs: number): Line | undefined {
    const current = this.#line;
    if (current && distance(ns, current.newestNs) <= STEP_NS) return current;
    let best: Line | undefined;
    let least = 0n;
    for (const line of this.#lines) {
      const dueNs = line.newestNs + passedNs(line, nowMs);
      if (ns < line.newestNs - STEP_NS || ns > dueNs + STEP_NS) continue;
      const away = distance(ns, dueNs);
      if (best && away >= least) continue;
      best = line;
      least = away;
    }
    return best;
  }

  /** Before a line that runs behind this sample: that clock may have been set forward, and nothing comes again. */
  #begin(newestNs: bigint, nowMs: number): Line {
    const isRunning = (line: Line) => line === this.#line || nowMs - line.seenMs <= RUNNING_MS;
    const running = this.#lines.filter(isRunning);
    const behind = running.filter((line) => line.newestNs < newestNs);
    const ahead = running.filter((line) => line.newestNs > newestNs);
    let step: Step | undefined;
    let former: ArrivedSince | undefined;
    if (behind.length > 0) {
      const earlier = behind.reduce((a, b) => (b.newestNs > a.newestNs ? b : a));
      former = earlier.former;
      if (earlier.step && newestNs <= earlier.step.later.newestNs) step = earlier.step;
    } else if (ahead.length > 0) {
      const later = ahead.reduce((a, b) => (b.newestNs < a.newestNs ? b : a));
      former = sinceOf(later, nowMs);
      step = { later, samplesOfLater: later.samples, sinceMs: nowMs, mark: this.#markAt(nowMs) };
    }
    if (this.#lines.length === CLOCKS_MAX) this.#forgetOne();
    const line: Line = { newestNs, seenMs: nowMs, samples: 0, step, former };
    this.#lines.push(line);
    return line;
  }

  #markAt(nowMs: number): ArrivedSince {
    if (this.#mark && nowMs - this.#markMs < MARK_EVERY_MS) return this.#mark;
    const sequences = Object.fromEntries(
      Array.from(this.#channels(), ({ id, sequence }) => [id, sequence >>> 0]),
    );
    this.#markMs = nowMs;
    this.#mark = { sequences, segments: this.#segments };
    return this.#mark;
  }

  #forgetOne(): void {
    const others = this.#lines.filter((line) => line !== this.#line);
    const oldest = others.reduce((a, b) => (b.seenMs < a.seenMs ? b : a));
    this.#lines.splice(this.#lines.indexOf(oldest), 1);
    // Lines that came of it still look at it: it must not keep all that were before.
    oldest.step = undefined;
  }
}

function sinceOf({ step, samples, former }: Line, nowMs: number): ArrivedSince | undefined {
  if (!step) return former;
  const { later, samplesOfLater, sinceMs, mark } = step;
  const isSure = samples >= STEP_SAMPLES && nowMs - sinceMs >= STEP_MS;
  return isSure && later.samples === samplesOfLater ? mark : former;
}

function passedNs({ seenMs }: Line, nowMs: number): bigint {
  return BigInt(Math.round((nowMs - seenMs) * 1e6));
}

function distance(a: bigint, b: bigint): bigint {
  return a > b ? a - b : b - a;
}

/** Whether a segment, `bags/<bag>/…`, holds anything since then. */
export function isSegmentSince(since: ArrivedSince | undefined, bag: string, number: number): boolean {
  return since === undefined || number >= (since.segments[bag] ?? 0);
}

/** Whether a sample came since then. Sequence numbers start again after 2^32. */
export function hasCome(
  since: ArrivedSince | undefined,
  { channelId, sequence }: { readonly channelId: number; readonly sequence: number },
): boolean {
  const first = since?.sequences[channelId];
  return first === undefined || (sequence - first) >>> 0 < 2 ** 31;
}
