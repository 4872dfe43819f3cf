import {
  type Clock,
  type DropReason,
  EdgeError,
  type KeySpace,
  type KeyValue,
  LIMITS,
  type Sample,
  type Subscription,
} from '../../../contract/core.ts';
import type { Arrivals } from './arrivals.ts';
import { decodeNote, isCdr, type Note, typeOfEncoding } from './note.ts';
import type { Route } from './route.ts';

/** Values that wait in the driver for one route; beyond it the oldest goes, counted. */
const DEPTH = 1_024;
const TOPIC = /^(\/[A-Za-z_][A-Za-z0-9_]*)+$/;

/** What a route hears in the key space: values become samples, and gaps become losses. */
export class Inlet {
  readonly route: Route;
  readonly #clock: Clock;
  readonly #arrivals: Arrivals;
  /** Called with the topic of each value, also of values sent here. */
  readonly #onTopic: (topic: string) => void;
  /** What the notes of our own samples say. */
  readonly #own: string;
  /** Samples that did not come, by topic, not yet in the ledger. */
  readonly #gaps = new Map<string, number>();
  #keySpace: KeySpace | undefined;
  #subscription: Subscription | undefined;
  /** What the driver dropped of this subscription, as far as the ledger has it. */
  #droppedTold = 0;
  #work: Promise<void> = Promise.resolve();
  #fault = '';

  constructor(route: Route, clock: Clock, arrivals: Arrivals, own: string, onTopic: (topic: string) => void) {
    this.#onTopic = onTopic;
    this.#own = own;
    this.route = route;
    this.#clock = clock;
    this.#arrivals = arrivals;
  }

  get isOpen(): boolean {
    return this.#subscription !== undefined;
  }

  /** Why it could not be declared again: only another rebuild brings it back. Empty: it is, or never was. */
  get fault(): string {
    return this.isOpen ? '' : this.#fault;
  }

  /** Subscribes in a new session; rejects as `KeySpace.subscribe` does. One call at a time has its effect. */
  attach(keySpace: KeySpace): Promise<void> {
    this.#keySpace = keySpace;
    this.#fault = '';
    return this.#inTurn(async () => {
      // Another user of the session may have failed, and all are attached again: never heard twice.
      await this.#undeclare();
      await this.#declare(keySpace);
    });
  }

  /** Lets go of the subscription and makes it again; no other one is touched. */
  rebuild(): Promise<void> {
    return this.#inTurn(async () => {
      const keySpace = this.#keySpace;
      await this.#undeclare();
      this.#arrivals.restart(this.#clock.monotonicMs());
      try {
        if (keySpace) await this.#declare(keySpace);
      } catch (error) {
        this.#fault = EdgeError.from(error, 'route.silent', 'subscribe', this.route.fromPattern).message;
        throw error;
      }
    });
  }

  detach(): Promise<void> {
    this.#keySpace = undefined;
    this.#fault = '';
    return this.#inTurn(() => this.#undeclare());
  }

  /** Brings what the driver dropped and what never came into the ledger. */
  countLosses(): void {
    for (const [key, lost] of this.#arrivals.givenUp(this.#clock.monotonicMs()))
      this.#gap(this.#topicOf(key), lost);
    let dropped = (this.#subscription?.dropped() ?? this.#droppedTold) - this.#droppedTold;
    this.#droppedTold += dropped;
    for (const [topic, gap] of this.#gaps) {
      // A gap that the driver made here is a full queue of this daemon; any other was lost on the way.
      const ours = Math.min(gap, dropped);
      dropped -= ours;
      if (ours > 0) this.route.missed(topic, 'queue_full', ours);
      if (gap > ours) this.route.missed(topic, 'middleware', gap - ours);
    }
    this.#gaps.clear();
    // Of senders that do not number what they send: the topic is not known.
    if (dropped > 0) this.route.missed(`/${this.route.fromPattern}`, 'queue_full', dropped);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#work.then(work);
    this.#work = turn.catch(() => {});
    return turn;
  }

  async #declare(keySpace: KeySpace): Promise<void> {
    if (this.#keySpace !== keySpace) return;
    this.#subscription = await keySpace.subscribe(
      this.route.fromPattern,
      (values) => {
        for (const value of values) this.#take(value);
      },
      { depth: DEPTH },
    );
    this.#droppedTold = 0;
  }

  async #undeclare(): Promise<void> {
    this.countLosses();
    const subscription = this.#subscription;
    this.#subscription = undefined;
    this.#droppedTold = 0;
    // One that cannot be undeclared is its session's; it must not keep the next from being declared.
    await subscription?.undeclare().catch(() => {});
  }

  #take(value: KeyValue): void {
    const { key, payload } = value;
    // Who deletes a key says nothing that a topic could say.
    if (value.kind === 'delete') return;
    const note = decodeNote(value.attachment);
    const topic = this.#topicOf(key);
    if (note.source !== undefined && note.source !== this.#own && note.seq !== undefined) {
      const missed = this.#arrivals.came(note.source, key, note.seq);
      if (missed > 0) this.#gap(topic, missed);
    }
    if (this.route.spec.to.kind === 'ros') this.#onTopic(topic);
    const received = this.#clock.now();
    const type = this.#typeOf(value, note);
    const sample: Sample = { topic, type, stamp: note.stamp ?? received, received, bytes: payload };
    this.route.offer(key, sample, note.source === this.#own ? 'echo' : refusal(sample));
  }

  #topicOf(key: string): string {
    return `/${this.route.knownTarget(key) ?? key}`;
  }

  #gap(topic: string, missed: number): void {
    this.#gaps.set(topic, (this.#gaps.get(topic) ?? 0) + missed);
  }

  #typeOf({ encoding }: KeyValue, note: Partial<Note>): string {
    return this.route.spec.type || note.type || typeOfEncoding(encoding) || '';
  }
}

function refusal({ topic, type, bytes }: Sample): DropReason | undefined {
  if (bytes.length > LIMITS.SAMPLE_BYTES_MAX) return 'too_large';
  return type === '' || !isCdr(bytes) || !TOPIC.test(topic) ? 'malformed' : undefined;
}

/** An error of the key space after which only a new session helps. */
export function isSessionLost(error: unknown): boolean {
  return EdgeError.from(error, 'zenoh.failed', '', '').code === 'zenoh.closed';
}
