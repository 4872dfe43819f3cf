import type { KeyValue, Sample, Subscription, TopicSpec } from '../../../contract/core.ts';
import { definitionHasHeader, headerStamp } from '../../../formats/ros2/index.ts';
import { SequenceGaps } from './attachment.ts';
import { dataKey, type Entity, NO_TYPE_HASH } from './names.ts';
import { type OwnSide, peerFault } from './peer-check.ts';
import type { PeerFault } from './peer-faults.ts';
import type { OwnEndpoint, RosZenohSession } from './session.ts';

/** Messages that may wait here, at least: what a history overwrites between two turns of the loop is lost. */
const DEPTH_MIN = 1024;

/** Counts of the messages of a topic. A new reader continues them. */
type Heard = {
  readonly gaps: SequenceGaps;
  /** Gaps in the numbers of the publishers. */
  lost: number;
  /** Dropped by the subscriptions of readers before this one. */
  dropped: number;
};

/**
 * One topic read. Bytes pass as received. A type without definition on this host is read as well: by a wildcard
 * in place of its hash, and announced by the hash of its publisher.
 */
export class TopicReader {
  readonly spec: TopicSpec;
  readonly #session: RosZenohSession;
  readonly #onSample: (sample: Sample) => void;
  readonly #own: OwnSide;
  readonly #leads: boolean;
  readonly #isDiscovered: boolean;
  readonly #heard: Heard;
  readonly #subscriptions = new Map<string, Promise<Subscription>>();
  readonly #live: Subscription[] = [];
  #endpoint: Promise<OwnEndpoint> | undefined;
  #watch: { cancel(): void } | undefined;
  /** Reads the topic until this one is open. */
  #before: TopicReader | undefined;
  #closed = false;
  /** Found at publishers that came since the last `tellFaults`. */
  #faults: PeerFault[] = [];

  /**
   * A discovered topic may be read again as its publishers change: their faults are reported when `tellFaults` is
   * called. `before` reads the same type of the topic: this one takes over from it once it is open, and closes it.
   */
  constructor(
    session: RosZenohSession,
    spec: TopicSpec,
    onSample: (sample: Sample) => void,
    isDiscovered = false,
    before?: TopicReader,
  ) {
    this.spec = spec;
    this.#before = before;
    this.#heard = before ? before.#heard : { gaps: new SequenceGaps(), lost: 0, dropped: 0 };
    this.#session = session;
    this.#isDiscovered = isDiscovered;
    this.#onSample = onSample;
    const known = session.types.knows(spec.type);
    this.#leads = known && definitionHasHeader(session.types.definition(spec.type));
    this.#own = {
      side: 'subscription',
      topic: spec.topic,
      type: spec.type,
      hash: known ? session.types.hash(spec.type) : undefined,
      qos: spec.qos,
    };
  }

  /** Throws what the key space throws; after that the reader is closed, and the one before it reads on. */
  async open(): Promise<void> {
    if (this.#before) this.#heard.gaps.overlap();
    try {
      await this.#subscribe(this.#own.hash ?? '*');
      // Closed in the meantime: the token is withdrawn here.
      if (this.#own.hash !== undefined && !this.#closed) await this.#announce(this.#own.hash);
    } catch (error) {
      this.#heard.gaps.endOverlap();
      this.#before = undefined;
      await this.close();
      throw error;
    }
    if (this.#closed) return;
    this.#watch = this.#session.graph.listen((entity, alive) => alive && this.#meet(entity));
    for (const entity of this.#session.graph.entities()) this.#meet(entity);
    this.tellFaults();
    if (this.#before) await this.#takeOver();
  }

  /** It stays as it is read, also when publishers join. */
  tellFaults(): void {
    for (const fault of this.#faults.splice(0))
      this.#session.peerFaults.tell(this.spec.topic, 'in', this.spec.qos, fault);
  }

  /** Messages lost on their way here: gaps in the numbers of their publishers, what we were too slow for included. */
  get lost(): number {
    // Those without numbers are only missed by the subscription; those with numbers are in both counts.
    return Math.max(this.#heard.lost, this.#heard.dropped + this.#dropped);
  }

  get #dropped(): number {
    let dropped = this.#before ? this.#before.#dropped : 0;
    for (const subscription of this.#live) dropped += subscription.dropped();
    return dropped;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    const before = this.#before?.close();
    const opened = [...this.#subscriptions.values(), ...(this.#endpoint ? [this.#endpoint] : [])];
    await Promise.all(opened.map(async (one) => (await one.catch(() => undefined))?.undeclare()));
    await before;
  }

  async #takeOver(): Promise<void> {
    // Without a definition it is announced by now only: publishers shall not see the topic without a subscription.
    await this.#endpoint?.catch(() => undefined);
    const before = this.#before;
    if (this.#closed || !before) return;
    this.#heard.dropped += before.#dropped;
    this.#before = undefined;
    this.#heard.gaps.endOverlap();
    before.close().catch((error: unknown) => this.#failed('close the reader before of', error));
  }

  #meet(entity: Entity): void {
    const { end } = entity;
    if (this.#closed || entity.kind !== 'MP' || end?.name !== this.spec.topic || this.#session.isOwn(entity))
      return;
    if (end.type === this.spec.type) this.#follow(end.hash);
    const fault = peerFault(this.#own, entity);
    // A discovered topic is not configured: it is enough that Zenoh delivers it.
    if (fault && !(this.#isDiscovered && fault.kind === 'incompatible')) this.#faults.push(fault);
    if (!this.#isDiscovered) this.tellFaults();
  }

  /** A publisher of our type: the first hash of a type we do not know is adopted, and Humble has a key of its own. */
  #follow(hash: string): void {
    if (this.#own.hash === undefined) {
      if (!this.#endpoint) {
        this.#session.warnOnce(
          `${this.spec.topic}: ${this.spec.type} (${hash}) has no definition on this host; its bytes are passed on and recorded as they are. Install its package, or put its files into a folder of ros.definitions`,
        );
        this.#announce(hash).catch((error: unknown) => this.#failed('announce', error));
      }
    } else if (hash === NO_TYPE_HASH) {
      this.#subscribe(hash).catch((error: unknown) => this.#failed('subscribe to', error));
    }
  }

  async #announce(hash: string): Promise<void> {
    const { topic, type, qos } = this.spec;
    this.#endpoint = this.#session.announce('MS', topic, type, hash, qos);
    await this.#endpoint;
  }

  async #subscribe(hash: string): Promise<void> {
    if (this.#subscriptions.has(hash)) return;
    const { topic, type, qos } = this.spec;
    const key = dataKey(this.#session.options.domain, topic, type, hash);
    const opening = this.#session.space().then((space) =>
      space.subscribe(key, (values) => this.#take(values), {
        depth: Math.max(qos.depth, DEPTH_MIN),
        history: qos.durability === 'transient_local',
      }),
    );
    this.#subscriptions.set(hash, opening);
    try {
      this.#live.push(await opening);
    } catch (error) {
      this.#subscriptions.delete(hash);
      throw error;
    }
  }

  #take(values: readonly KeyValue[]): void {
    if (this.#closed) return;
    const { topic, type } = this.spec;
    const received = this.#session.clock.now();
    for (const { payload: bytes, attachment, kind } of values) {
      if (kind !== 'put') continue;
      if (attachment) {
        const lost = this.#heard.gaps.take(attachment);
        if (lost === undefined) continue;
        this.#heard.lost += lost;
      }
      const stamp = this.#leads ? (headerStamp(type, bytes, true) ?? received) : received;
      this.#onSample({ topic, type, stamp, received, bytes });
    }
  }

  #failed(what: string, error: unknown): void {
    if (this.#closed) return;
    const why = error instanceof Error ? error.message : String(error);
    this.#session.report('error', `${this.spec.topic}: could not ${what} it: ${why}`);
  }
}
