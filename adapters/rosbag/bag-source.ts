import {
  type Clock,
  DEFAULT_QOS,
  EdgeError,
  type Nanoseconds,
  pause,
  type Sample,
  type SampleSource,
  type SourceState,
  type TopicSpec,
} from '../../contract/core.ts';
import type { Bag } from './bag.ts';
import { openBag } from './open-bag.ts';

export type BagSourceOptions = {
  readonly clock: Clock;
  readonly path: string;
  /** 1 is the pace of the recording; `max` is as fast as the receiver takes them. */
  readonly rate: number | 'max';
  /** Plays again from the start when it ends; times go on, so that they never step back. */
  readonly loop?: boolean;
  /** Skips this much of the recording, milliseconds. */
  readonly startOffsetMs?: number;
  /** Plays this much of the recording at most, milliseconds. */
  readonly durationMs?: number;
  /** Bytes that the receiver has taken and not worked off; playing waits while it is above `backlogBytesMax`. */
  readonly backlogBytes?: () => number;
  readonly backlogBytesMax?: number;
};

export type PlayResult = {
  readonly messages: number;
  readonly bytes: number;
  readonly loops: number;
  /** Why playing ended before the end of the bag; undefined when it did not. */
  readonly fault: EdgeError | undefined;
};

/** A message due sooner than this is played at once: timers are no finer. */
const EARLY_MS = 0.5;
const BACKLOG_BYTES_MAX = 32 * 1024 * 1024;
const BACKLOG_PAUSE_MS = 2;
/** Messages between two turns of the event loop when nothing else makes it turn. */
const TURN_MESSAGES = 64;

/** Plays a bag: rosbag2 SQLite or MCAP, a file or a folder. Nothing is dropped: a slow receiver slows it down. */
export class BagSource implements SampleSource {
  /** Settles when playing ended, whatever the reason; never rejects. */
  readonly finished: Promise<PlayResult>;
  readonly #options: BagSourceOptions;
  readonly #abort = new AbortController();
  #finish!: (result: PlayResult) => void;
  #state: SourceState = { connected: false, reason: 'not opened', lost: {} };
  #bag: Bag | undefined;
  #playing: Promise<void> = Promise.resolve();
  #messages = 0;
  #bytes = 0;
  #loops = 0;

  constructor(options: BagSourceOptions) {
    if (options.rate !== 'max' && !(options.rate > 0 && Number.isFinite(options.rate))) {
      throw new EdgeError('schema.invalid', {
        operation: 'play-bag',
        subject: options.path,
        message: `/rate: must be a number above 0 or "max", found ${String(options.rate)}`,
      });
    }
    this.#options = options;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The topics of the bag; after `open`. Those that do not say how they were offered get the default. */
  topics(): TopicSpec[] {
    return (this.#bag?.topics ?? []).map(({ topic, type, qos }) => ({
      topic,
      type,
      qos: qos ?? DEFAULT_QOS,
    }));
  }

  /** The topics that say how they were offered; after `open`. For `Recorder.declare`. */
  offers(): TopicSpec[] {
    return (this.#bag?.topics ?? []).flatMap(({ topic, type, qos }) => (qos ? [{ topic, type, qos }] : []));
  }

  /** The definition of a type, where the bag carries it; after `open`. */
  definitionOf(type: string): string | undefined {
    return this.#bag?.topics.find((topic) => topic.type === type && topic.definition)?.definition;
  }

  /** Opens the bag; playing begins with the next turn of the event loop. No `topics` means all of them. */
  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    this.#bag = await openBag(this.#options.path);
    const wanted = topics.length === 0 ? undefined : new Set(topics.map(({ topic }) => topic));
    const tell = (connected: boolean, reason: string) => {
      this.#state = { connected, reason, lost: {} };
      onState(this.#state);
    };
    tell(true, '');
    this.#playing = this.#play(this.#bag, wanted, onSample).then((fault) => {
      tell(false, fault ? fault.message : this.#abort.signal.aborted ? 'closed' : 'the end of the bag');
      this.#finish({ messages: this.#messages, bytes: this.#bytes, loops: this.#loops, fault });
    });
  }

  state(): SourceState {
    return this.#state;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#playing;
    const bag = this.#bag;
    this.#bag = undefined;
    await bag?.close();
    this.#finish({ messages: this.#messages, bytes: this.#bytes, loops: this.#loops, fault: undefined });
  }

  async #play(
    bag: Bag,
    topics: ReadonlySet<string> | undefined,
    onSample: (sample: Sample) => void,
  ): Promise<EdgeError | undefined> {
    // The caller gets a turn after `open`, to declare topics before their first sample.
    await nextTurn();
    const { startOffsetMs = 0, durationMs, loop } = this.#options;
    const startNs = bag.startNs + BigInt(Math.round(startOffsetMs * 1e6));
    const endNs = durationMs === undefined ? undefined : startNs + BigInt(Math.round(durationMs * 1e6));
    let shift = 0n;
    // The loop's last message and its first must not fall together: a millisecond lies between them.
    const period = (endNs ?? bag.endNs) - startNs + 1_000_000n;
    try {
      do {
        const before = this.#messages;
        await this.#playOnce(bag, { topics, startNs, endNs }, shift, onSample);
        this.#loops += 1;
        shift += period;
        if (this.#messages === before) break;
      } while (loop && !this.#abort.signal.aborted);
      return undefined;
    } catch (error) {
      return EdgeError.from(error, 'bag.malformed', 'play-bag', this.#options.path);
    }
  }

  async #playOnce(
    bag: Bag,
    filter: { topics: ReadonlySet<string> | undefined; startNs: bigint; endNs: bigint | undefined },
    shift: bigint,
    onSample: (sample: Sample) => void,
  ): Promise<void> {
    const { clock } = this.#options;
    const begunMs = clock.monotonicMs();
    for await (const sample of bag.messages(filter)) {
      if (this.#abort.signal.aborted) return;
      await this.#waitForTurn(sample.received - filter.startNs, begunMs);
      await this.#waitForReceiver();
      if (this.#abort.signal.aborted) return;
      this.#messages += 1;
      this.#bytes += sample.bytes.length;
      onSample(shift === 0n ? sample : shifted(sample, shift));
    }
  }

  /** Until the message is due by the pace of the recording; one that is late is played at once. */
  async #waitForTurn(offset: Nanoseconds, begunMs: number): Promise<void> {
    const { clock, rate } = this.#options;
    if (rate !== 'max') {
      const dueMs = begunMs + Number(offset) / 1e6 / rate;
      const waitMs = dueMs - clock.monotonicMs();
      if (waitMs > EARLY_MS) return pause(clock, waitMs, this.#abort.signal);
    }
    if (this.#messages % TURN_MESSAGES === 0) await nextTurn();
  }

  async #waitForReceiver(): Promise<void> {
    const { clock, backlogBytes, backlogBytesMax = BACKLOG_BYTES_MAX } = this.#options;
    if (!backlogBytes) return;
    while (backlogBytes() > backlogBytesMax && !this.#abort.signal.aborted) {
      await pause(clock, BACKLOG_PAUSE_MS, this.#abort.signal);
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function shifted(sample: Sample, shift: bigint): Sample {
  return { ...sample, stamp: sample.stamp + shift, received: sample.received + shift };
}
