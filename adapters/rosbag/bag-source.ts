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
import { offeredText, parseProfiles } from '../../formats/rosbag2/index.ts';
import type { Bag } from './bag.ts';
import { latchedBefore, latchedDepth } from './latched.ts';
import { openBag } from './open-bag.ts';
import { PlayPace } from './play-pace.ts';

export type BagSourceOptions = {
  readonly clock: Clock;
  readonly path: string;
  /** 1 is the pace of the recording; `max` is as fast as the receiver takes them. */
  readonly rate: number | 'max';
  /** Plays again from the start when it ends; times continue, so that they never step back. */
  readonly loop?: boolean;
  /** Skips this much of the recording, milliseconds. */
  readonly startOffsetMs?: number;
  /** Plays this much of the recording at most, milliseconds. */
  readonly durationMs?: number;
  /** Bytes that the receiver has not processed yet; playing waits while it is above `backlogBytesMax`. */
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
/** A wait is checked again after this, so that a clock that was set never holds a playback, milliseconds. */
const WAIT_MS_MAX = 60_000;
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
  #topics: ReadonlySet<string> | undefined;
  #playing: Promise<void> = Promise.resolve();
  #pace: PlayPace | undefined;
  /** Ends the wait for the next message: something about the pace has changed. */
  #wake = new AbortController();
  #seekNs: Nanoseconds | undefined;
  #nextNs: Nanoseconds = 0n;
  #messages = 0;
  /** Messages of these that were played at their time, without the earlier ones of transient local topics. */
  #paced = 0;
  #bytes = 0;
  #loops = 0;

  constructor(options: BagSourceOptions) {
    const { rate, path } = options;
    if (rate !== 'max') checkRate(rate, path);
    this.#options = options;
    this.finished = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** The topics of the bag; after `open`. Topics without recorded QoS get the default. */
  topics(): TopicSpec[] {
    return (this.#bag?.topics ?? []).map(({ topic, type, qos }) => ({
      topic,
      type,
      qos: qos ?? DEFAULT_QOS,
      offered: this.#offeredOf(topic),
    }));
  }

  /** The topics with recorded QoS; after `open`. For `Recorder.declare`. */
  offers(): TopicSpec[] {
    return this.topics().filter(({ offered }) => offered !== '');
  }

  /** The profiles of all publishers, as they were recorded. */
  #offeredOf(topic: string): string {
    const channels = (this.#bag?.channels ?? []).filter((channel) => channel.topic === topic);
    const texts = new Set(channels.map(({ metadata }) => metadata.get('offered_qos_profiles') ?? ''));
    return offeredText([...texts].flatMap(parseProfiles));
  }

  /** The definition of a type, where the bag carries it; after `open`. */
  definitionOf(type: string): string | undefined {
    return this.#bag?.topics.find((topic) => topic.type === type && topic.definition)?.definition;
  }

  /** How many messages a late subscriber of the topic gets; 0 where it is not transient local. After `open`. */
  latchedDepth(topic: string): number {
    const channels = (this.#bag?.channels ?? []).filter((channel) => channel.topic === topic);
    return Math.max(0, ...channels.map(latchedDepth));
  }

  /** Messages of the topics that are played, in the whole bag; after `open`. */
  get total(): number {
    const wanted = (this.#bag?.topics ?? []).filter(({ topic }) => this.#topics?.has(topic) ?? true);
    return wanted.reduce((sum, { messages }) => sum + messages, 0);
  }

  get startNs(): Nanoseconds {
    return this.#bag?.startNs ?? 0n;
  }

  get endNs(): Nanoseconds {
    return this.#bag?.endNs ?? 0n;
  }

  /** Position of the playback, in the time of the bag. */
  get positionNs(): Nanoseconds {
    return this.#pace?.positionNs(this.#nextNs) ?? this.startNs;
  }

  get rate(): number {
    return this.#pace?.rate ?? 0;
  }

  get isPaused(): boolean {
    return this.#pace?.isPaused ?? false;
  }

  get loops(): number {
    return this.#loops;
  }

  pause(): void {
    this.#pace?.pause(this.positionNs);
    this.#look();
  }

  resume(): void {
    this.#pace?.resume();
    this.#look();
  }

  /** Times the pace of the recording, or `max`. Throws `schema.invalid`. */
  setRate(rate: number | 'max'): void {
    if (rate !== 'max') checkRate(rate, this.#options.path);
    this.#pace?.setRate(rate === 'max' ? 0 : rate, this.positionNs);
    this.#look();
  }

  /**
   * Continues from `time` of the bag, with what transient local topics held then. Outside the bag: its nearer end.
   */
  seek(time: Nanoseconds): void {
    const { startNs, endNs } = this;
    this.#seekNs = time < startNs ? startNs : time > endNs ? endNs : time;
    this.#nextNs = this.#seekNs;
    this.#pace?.moveTo(this.#seekNs);
    this.#look();
  }

  /** Opens the bag; playing starts with the next turn of the event loop. No `topics` means all of them. */
  async open(
    topics: readonly TopicSpec[],
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void,
  ): Promise<void> {
    await this.prepare();
    this.begin(
      topics.length === 0 ? undefined : new Set(topics.map(({ topic }) => topic)),
      onSample,
      onState,
    );
  }

  /** Opens the bag to learn its topics; `begin` plays it. */
  async prepare(): Promise<void> {
    this.#bag ??= await openBag(this.#options.path);
  }

  /** Plays `wanted` topics (undefined: all) from the next turn of the event loop on. */
  begin(
    wanted: ReadonlySet<string> | undefined,
    onSample: (sample: Sample) => void,
    onState: (state: SourceState) => void = () => {},
  ): void {
    const bag = this.#bag!;
    this.#topics = wanted;
    const tell = (connected: boolean, reason: string) => {
      this.#state = { connected, reason, lost: {} };
      onState(this.#state);
    };
    tell(true, '');
    this.#playing = this.#play(bag, onSample).then((fault) => {
      tell(false, fault ? fault.message : this.#abort.signal.aborted ? 'closed' : 'the end of the bag');
      this.#finish({ messages: this.#messages, bytes: this.#bytes, loops: this.#loops, fault });
    });
  }

  state(): SourceState {
    return this.#state;
  }

  async close(): Promise<void> {
    this.#abort.abort();
    this.#look();
    await this.#playing;
    const bag = this.#bag;
    this.#bag = undefined;
    await bag?.close();
    this.#finish({ messages: this.#messages, bytes: this.#bytes, loops: this.#loops, fault: undefined });
  }

  async #play(bag: Bag, onSample: (sample: Sample) => void): Promise<EdgeError | undefined> {
    const { clock, rate, startOffsetMs = 0, durationMs, loop } = this.#options;
    const startNs = bag.startNs + BigInt(Math.round(startOffsetMs * 1e6));
    this.#nextNs = startNs;
    const pace = new PlayPace(clock, rate === 'max' ? 0 : rate, startNs);
    this.#pace = pace;
    // The caller gets a turn after `open`, to declare topics before their first sample.
    await nextTurn();
    if (!pace.isPaused) pace.moveTo(startNs);
    if (startNs > bag.endNs) return this.#beyondTheEnd(bag);
    const endNs = durationMs === undefined ? undefined : startNs + BigInt(Math.round(durationMs * 1e6));
    let shift = 0n;
    // The loop's last message and its first must not fall together: a millisecond lies between them.
    const overNs = endNs !== undefined && endNs < bag.endNs ? endNs : bag.endNs;
    const period = overNs - startNs + 1_000_000n;
    let from = startNs;
    let damage: EdgeError | undefined;
    const onDamage = (fault: EdgeError) => {
      damage ??= fault;
    };
    try {
      for (;;) {
        const before = this.#paced;
        await this.#playFrom(bag, from, endNs, shift, onSample, onDamage);
        if (this.#abort.signal.aborted) return undefined;
        if (this.#seekNs !== undefined) {
          from = this.#seekNs;
          this.#seekNs = undefined;
          continue;
        }
        this.#loops += 1;
        if (!loop || (this.#paced === before && from === startNs)) return damage;
        await this.#waitForTurn(startNs + period);
        if (this.#isOver()) continue;
        shift += period;
        from = startNs;
        this.#nextNs = startNs;
        pace.moveTo(startNs);
      }
    } catch (error) {
      return EdgeError.from(error, 'bag.malformed', 'play-bag', this.#options.path);
    }
  }

  #beyondTheEnd({ startNs, endNs }: Bag): EdgeError {
    const seconds = Number(endNs - startNs) / 1e9;
    return new EdgeError('schema.invalid', {
      operation: 'play-bag',
      subject: this.#options.path,
      message: `/start: the recording is over by then: it is ${seconds.toFixed(3)} s long`,
    });
  }

  /** Until the end, or until a seek or a stop is requested. */
  async #playFrom(
    bag: Bag,
    startNs: bigint,
    endNs: bigint | undefined,
    shift: bigint,
    onSample: (sample: Sample) => void,
    onDamage: (fault: EdgeError) => void,
  ): Promise<void> {
    const give = (sample: Sample) => {
      this.#messages += 1;
      this.#bytes += sample.bytes.length;
      onSample(shift === 0n ? sample : shifted(sample, shift));
    };
    for (const { channel, publishTime, bytes } of await latchedBefore(bag, startNs, this.#topics)) {
      await this.#waitForReceiver();
      if (this.#isOver()) return;
      give({ topic: channel.topic, type: channel.type, stamp: publishTime, received: startNs, bytes });
    }
    for await (const sample of bag.messages({ topics: this.#topics, startNs, endNs, onDamage })) {
      await this.#waitForTurn(sample.received);
      if (!this.#isOver()) await this.#waitForReceiver();
      if (this.#isOver()) return;
      this.#pace?.played(sample.received);
      this.#paced += 1;
      give(sample);
    }
  }

  #isOver(): boolean {
    return this.#abort.signal.aborted || this.#seekNs !== undefined;
  }

  /** Wakes every wait, to check pace, seek and end again. */
  #look(): void {
    const waiting = this.#wake;
    this.#wake = new AbortController();
    waiting.abort();
  }

  /** Waits until the message is due by the pace of the recording; a late one is played at once. */
  async #waitForTurn(time: Nanoseconds): Promise<void> {
    const { clock } = this.#options;
    const pace = this.#pace!;
    this.#nextNs = time;
    while (!this.#isOver()) {
      const waitMs = pace.isPaused ? WAIT_MS_MAX : pace.waitMs(time);
      if (waitMs <= EARLY_MS) break;
      await pause(clock, Math.min(waitMs, WAIT_MS_MAX), this.#wake.signal);
    }
    if (this.#messages % TURN_MESSAGES === 0) await nextTurn();
  }

  async #waitForReceiver(): Promise<void> {
    const { clock, backlogBytes, backlogBytesMax = BACKLOG_BYTES_MAX } = this.#options;
    if (!backlogBytes) return;
    while (backlogBytes() > backlogBytesMax && !this.#isOver()) {
      await pause(clock, BACKLOG_PAUSE_MS, this.#abort.signal);
    }
  }
}

function checkRate(rate: number, path: string): void {
  if (rate > 0 && Number.isFinite(rate)) return;
  throw new EdgeError('schema.invalid', {
    operation: 'play-bag',
    subject: path,
    message: `/rate: must be a number above 0 or "max", found ${String(rate)}`,
  });
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function shifted(sample: Sample, shift: bigint): Sample {
  return { ...sample, stamp: sample.stamp + shift, received: sample.received + shift };
}
