import type { Clock } from '../../../contract/core.ts';
import type { ChannelEntry } from './channel-table.ts';

/** Samples may come in another order; one that is older by more than this tells that their clock was set back. */
const STEP_NS = 1_000_000_000n;

/** Where in the recording the clock of the samples was last set back: what lies before has times that come again. */
export type ArrivedSince = {
  /** By number of a channel: the sequence number of its first sample since then. A channel that is missing began later. */
  readonly sequences: Readonly<Record<number, number>>;
  /** By bag: its first segment of this life. Those of former lives are older, and count their samples by themselves. */
  readonly segments: Readonly<Record<string, number>>;
};

/** Two clocks in turn are no clock that was set: the way back to the later one takes this back as well. */
type Before = { readonly mark: ArrivedSince | undefined; readonly newestNs: bigint };

/** The newest sample by the clock of the source, and what came before that clock was set back. No I/O. */
export class ArrivalOrder {
  readonly #clock: Clock;
  readonly #channels: () => Iterable<ChannelEntry>;
  #newestNs = 0n;
  #segments: ArrivedSince['segments'] = {};
  #mark: ArrivedSince | undefined;
  #before: Before | undefined;
  #sinceMs = 0;
  #sinceNs = 0n;

  constructor(clock: Clock, channels: () => Iterable<ChannelEntry>) {
    this.#clock = clock;
    this.#channels = channels;
  }

  /** The number of the next segment of a bag, when its recording begins or begins again in this life. */
  begins(bag: string, segment: number): void {
    if (!Object.hasOwn(this.#segments, bag)) this.#segments = { ...this.#segments, [bag]: segment };
  }

  /** Of each sample, before it is counted. */
  take(receivedNs: bigint): void {
    const behindNs = this.#newestNs - receivedNs;
    if (behindNs >= 0n && behindNs <= STEP_NS) return;
    if (behindNs > STEP_NS) this.#back(receivedNs);
    else if (behindNs < -STEP_NS && this.#before) this.#forward(receivedNs, this.#before);
    this.#newestNs = receivedNs;
  }

  /** When the newest sample was received, by the clock of its source, which may be set back; 0 before the first. */
  get newestNs(): bigint {
    return this.#newestNs;
  }

  /** What belongs to the time that is shown now; undefined: all of it, since no clock was set back. */
  get since(): ArrivedSince | undefined {
    return this.#mark;
  }

  #back(receivedNs: bigint): void {
    this.#before = { mark: this.#mark, newestNs: this.#newestNs };
    this.#sinceMs = this.#clock.monotonicMs();
    this.#sinceNs = receivedNs;
    const sequences = Object.fromEntries(
      Array.from(this.#channels(), ({ id, sequence }) => [id, sequence >>> 0]),
    );
    this.#mark = { sequences, segments: this.#segments };
  }

  /** Time that passed is none that was set: only a clock that ran ahead of ours was set forward again. */
  #forward(receivedNs: bigint, before: Before): void {
    const tookNs = BigInt(Math.round((this.#clock.monotonicMs() - this.#sinceMs) * 1e6));
    if (receivedNs + STEP_NS < before.newestNs || receivedNs - this.#sinceNs < 2n * tookNs) return;
    this.#mark = before.mark;
    this.#before = undefined;
  }
}

/** Whether a segment, `bags/<bag>/…`, holds anything since then. */
export function isSegmentSince(since: ArrivedSince | undefined, bag: string, number: number): boolean {
  return since === undefined || number >= (since.segments[bag] ?? 0);
}

/** Whether a sample came since then. Sequence numbers begin again after 2^32. */
export function hasCome(
  since: ArrivedSince | undefined,
  { channelId, sequence }: { readonly channelId: number; readonly sequence: number },
): boolean {
  const first = since?.sequences[channelId];
  return first === undefined || (sequence - first) >>> 0 < 2 ** 31;
}
