import type { PlayOptions, PlayState } from '../../contract/bag-messages.ts';
import { type CellName, EdgeError, LIMITS, type Sample, type TopicSpec } from '../../contract/core.ts';
import { CLOCK_TOPIC, clockSample } from './clock-message.ts';
import type { DoorGate, DoorPath, LeaseHold, Receipt, TopicClasses } from './door/index.ts';
import { SinkQueue } from './sink-queue.ts';

/** What takes the samples of a play. It may be busy for a while: the play waits. */
export type PlaySink = Pick<DoorPath, 'advertise' | 'send' | 'close'>;

/** Where a play goes. */
export type PlayTarget = {
  /** `lease`: what commands are played under; absent: none are. */
  sink(lease: number | undefined): PlaySink;
  /**
   * A robot may hear what arrives there. `bus`: only through others of this daemon, so commands are withheld; `robot`:
   * its own middleware, so what is not declared harmless is withheld too.
   */
  readonly reaches: 'nobody' | 'bus' | 'robot';
  /** Given to receivers to be found before the first message, and to take the last one, milliseconds. */
  readonly settleMs: number;
};

export type BagPlayerParts = {
  open(options: PlayOptions, backlogBytes: () => number): Promise<PlayableBag>;
  target(options: PlayOptions): Promise<PlayTarget>;
  /** Waits. */
  pause(ms: number): Promise<void>;
  every(ms: number, fire: () => void): { cancel(): void };
  /** Takes the actuation lease before commands are played; rejects where the robot may not be moved now. */
  hold?(from: CellName, wantedAtMs?: number): Promise<LeaseHold>;
  /** What the topics of this robot are; absent: their types alone decide. */
  readonly topics?: TopicClasses;
  /** `Clock.monotonicMs`: a command that waits for a busy robot expires. Absent: it never does. */
  nowMs?(): number;
  /** Says which commands can be judged; absent: none. */
  readonly gate?: Pick<DoorGate, 'judges'>;
};

/** A bag being played, as the adapter that can read it offers it. */
export type PlayableBag = {
  /** Opens the bag, so that its topics are known. Throws `bag.malformed`. */
  prepare(): Promise<void>;
  /** Plays these topics from the next turn of the event loop on. */
  begin(topics: ReadonlySet<string>, onSample: (sample: Sample) => void): void;
  /** After `prepare`, in the quality of service they were recorded with. */
  topics(): readonly TopicSpec[];
  /** The topics that fit one of the patterns; throws `schema.invalid` for a pattern that fits none. */
  choose(include: readonly string[], exclude: readonly string[]): ReadonlySet<string>;
  /** Messages of the topics that are played; after `begin`. */
  readonly total: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly positionNs: bigint;
  readonly rate: number;
  readonly isPaused: boolean;
  readonly loops: number;
  pause(): void;
  resume(): void;
  seek(time: bigint): void;
  setRate(rate: number): void;
  /** Settles when playing ended; never rejects. */
  readonly finished: Promise<{ readonly fault: EdgeError | undefined }>;
  close(): Promise<void>;
};

/** One playback, from its first message to the last that was taken. */
export class BagPlay {
  readonly id: string;
  readonly #options: PlayOptions;
  readonly #parts: BagPlayerParts;
  readonly #hold: LeaseHold | undefined;
  #bag: PlayableBag | undefined;
  #target: PlayTarget | undefined;
  #sink: PlaySink | undefined;
  /** Commands that the door refused, and why the last one was. */
  #refused = { count: 0, reason: '' };
  #queue: SinkQueue | undefined;
  #ticks: { cancel(): void } | undefined;
  #ended: { state: 'finished' | 'failed' | 'stopped'; reason: string; positionNs: bigint } | undefined;
  #withheld: readonly string[] = [];
  #names = new Map<string, string>();
  /** Topics that are commands, as they are sent. */
  readonly #commands = new Set<string>();
  #published = 0;
  // A closed bag no longer answers, so its last figures are kept.
  #total = 0;
  #startNs = 0n;
  #endNs = 0n;

  /** `hold`: the lease that commands are played under; given back at the end. */
  constructor(id: string, options: PlayOptions, parts: BagPlayerParts, hold?: LeaseHold) {
    this.id = id;
    this.#hold = hold;
    this.#options = options;
    this.#parts = parts;
  }

  get bag(): PlayableBag {
    return this.#bag!;
  }

  get isRunning(): boolean {
    return this.#ended === undefined;
  }

  get playsCommands(): boolean {
    return this.#options.allowCommands === true;
  }

  get #settleMs(): number {
    return Math.max(this.#target?.settleMs ?? 0, (this.#options.delayS ?? 0) * 1000);
  }

  /** Opens bag and target, gives the target its topics, and starts. A failure here leaves nothing open. */
  async begin(classes: TopicClasses): Promise<void> {
    const { topics, exclude = [], clockHz = 0, paused } = this.#options;
    const remaps = remapsOf(this.#options);
    const bag = await this.#parts.open(this.#options, () => this.#queue?.backlogBytes() ?? 0);
    this.#bag = bag;
    try {
      await bag.prepare();
      const chosen = bag.choose(topics, clockHz > 0 ? [...exclude, CLOCK_TOPIC.topic] : exclude);
      this.#target = await this.#parts.target(this.#options);
      const sink = this.#target.sink(this.#hold?.lease);
      this.#sink = sink;
      const played = this.#allowed(
        bag.topics().filter(({ topic }) => chosen.has(topic)),
        remaps,
        classes,
      );
      this.#queue = new SinkQueue(
        (ms) => this.#parts.pause(ms),
        (error) => void this.#end('failed', error.message),
      );
      for (const spec of played) await sink.advertise({ ...spec, topic: this.#names.get(spec.topic)! });
      if (clockHz > 0) await sink.advertise(CLOCK_TOPIC);
      await this.#parts.pause(this.#settleMs);
      bag.begin(new Set(played.map(({ topic }) => topic)), (sample) => this.#give(sample));
      this.#total = bag.total;
      if (paused) bag.pause();
      if (clockHz > 0)
        this.#ticks = this.#parts.every(1000 / clockHz, () => sink.send(clockSample(bag.positionNs)));
    } catch (error) {
      await bag.close();
      await this.#sink?.close();
      throw error;
    }
    // A person takes the robot, or somebody stops it: a recording of commands would drive it on.
    this.#hold?.signal.addEventListener('abort', () => void this.stop(), { once: true });
    void bag.finished.then(({ fault }) => this.#played(fault));
  }

  state(): PlayState {
    const { path, to = 'bus' } = this.#options;
    const bag = this.bag;
    const seconds = (ns: bigint) => Number(ns) / 1e9;
    return {
      play_id: this.id,
      path,
      to,
      state: this.#ended?.state ?? (bag.isPaused ? 'paused' : 'playing'),
      messages: this.#total,
      published: this.#published,
      position_s: seconds((this.#ended?.positionNs ?? bag.positionNs) - this.#startNs),
      duration_s: seconds(this.#endNs - this.#startNs),
      rate: bag.rate,
      loops: bag.loops,
      withheld: this.#withheld,
      reason: [this.#ended?.reason ?? '', this.#refusals()].filter((part) => part !== '').join('; '),
    };
  }

  seek(positionS: number): void {
    this.bag.seek(this.#startNs + BigInt(Math.round(positionS * 1e9)));
  }

  async stop(): Promise<void> {
    await this.#end('stopped', 'asked to');
  }

  #refusals(): string {
    const { count, reason } = this.#refused;
    return count === 0 ? '' : `${count} commands were refused; the reason for the last one: ${reason}`;
  }

  /** What may be played there, by its new name; what a robot might obey is withheld. */
  #allowed(topics: readonly TopicSpec[], remaps: ReadonlyMap<string, string>, classes: TopicClasses) {
    const bag = this.bag;
    this.#startNs = bag.startNs;
    this.#endNs = bag.endNs;
    const asSent = (spec: TopicSpec) => ({ ...spec, topic: remaps.get(spec.topic) ?? spec.topic });
    const held = topics.filter((spec) => this.#isHeld([spec, asSent(spec)], classes));
    this.#withheld = held.map(({ topic }) => topic);
    const played = topics.filter((spec) => !held.includes(spec));
    for (const spec of played) {
      const sent = asSent(spec);
      this.#names.set(spec.topic, sent.topic);
      if (classes.classify(sent) === 'command') this.#commands.add(sent.topic);
    }
    return played;
  }

  /** By the name in the bag and by that under which it is sent. */
  #isHeld(specs: readonly TopicSpec[], classes: TopicClasses): boolean {
    const { reaches } = this.#target!;
    const allowed = this.#options.allowCommands === true;
    if (reaches === 'nobody') return false;
    if (reaches === 'bus') return !allowed && specs.some((spec) => classes.classify(spec) === 'command');
    const [asSent] = specs.slice(-1);
    if (classes.classify(asSent!) === 'unknown') return true;
    if (!specs.some((spec) => classes.classify(spec) === 'command')) return false;
    return !allowed || !this.#parts.gate?.judges(asSent!.type);
  }

  #expiry(): number {
    return (this.#parts.nowMs?.() ?? Number.POSITIVE_INFINITY) + LIMITS.COMMAND_EXPIRY_MS;
  }

  #give(given: Sample): void {
    const topic = this.#names.get(given.topic) ?? given.topic;
    const named = topic === given.topic ? given : { ...given, topic };
    // What waits for a busy robot must not move it later.
    const sample = this.#commands.has(topic) ? { ...named, expiresAtMs: this.#expiry() } : named;
    this.#queue!.add({
      sample,
      send: () => this.#sink!.send(sample),
      onSettled: (receipt) => this.#settled(receipt),
    });
  }

  #settled(receipt: Receipt): void {
    if (receipt.verdict === 'refused')
      this.#refused = { count: this.#refused.count + 1, reason: receipt.error.message };
    else this.#published += 1;
  }

  /** The bag is through: what the target has not taken yet is taken before the play is over. */
  async #played(fault: EdgeError | undefined): Promise<void> {
    await this.#queue?.empty();
    await this.#end(fault ? 'failed' : 'finished', fault?.message ?? '');
  }

  async #end(state: 'finished' | 'failed' | 'stopped', reason: string): Promise<void> {
    if (this.#ended) return;
    this.#ended = { state, reason, positionNs: this.bag.positionNs };
    this.#ticks?.cancel();
    this.#queue?.close();
    this.#hold?.release();
    await this.bag.close();
    // Receivers get the last messages before their sender goes.
    if (state === 'finished') await this.#parts.pause(this.#settleMs);
    await this.#sink?.close();
  }
}

function remapsOf({ remap = [], path }: PlayOptions): Map<string, string> {
  return new Map(
    remap.map((rule) => {
      const match = /^(\/?[A-Za-z0-9_/~{}]+):=(\/[A-Za-z0-9_/]+)$/.exec(rule);
      if (match) return [match[1]!.startsWith('/') ? match[1]! : `/${match[1]}`, match[2]!] as const;
      throw new EdgeError('schema.invalid', {
        operation: 'bag play',
        subject: path,
        message: `remap ${rule}: /old:=/new expected`,
      });
    }),
  );
}
