import { EdgeError, type KeySpace, type PublishOptions, type TopicSpec } from '../../../contract/core.ts';
import { makeAttachment } from './attachment.ts';
import { dataKey, type Entity, NO_TYPE_HASH } from './names.ts';
import { type OwnSide, peerFault } from './peer-check.ts';
import type { OwnEndpoint, RosZenohSession } from './session.ts';

/** Bytes that may wait for room on the link; above it a message is refused, since it would be old when it is sent. */
const WAITING_BYTES_MAX = 16 * 1024 * 1024;
const WAITING_MESSAGES_MAX = 256;
/** Different failures reported for one topic. */
const TOLD_MAX = 16;

/** A key that is published on, with the numbering of its endpoint. */
type Outlet = { readonly key: string; readonly endpoint: OwnEndpoint; sequence: bigint };

/** One topic written. */
export class TopicWriter {
  readonly #session: RosZenohSession;
  readonly #own: OwnSide;
  readonly #options: PublishOptions;
  readonly #outlets = new Map<string, Outlet>();
  readonly #listeners = new Map<string, Entity>();
  readonly #told = new Set<string>();
  #space: KeySpace | undefined;
  #watch: { cancel(): void } | undefined;
  #waitingBytes = 0;
  #waiting = 0;
  #closed = false;

  /** Throws `sample.unknown_type`: without a hash there is no key that subscribers use. */
  constructor(session: RosZenohSession, { topic, type, qos }: TopicSpec) {
    this.#session = session;
    this.#own = { side: 'publisher', topic, type, hash: session.types.hash(type), qos };
    const blocks = qos.reliability === 'reliable' && qos.history === 'keep_all';
    this.#options = {
      congestion: blocks ? 'block' : 'drop',
      ...(qos.durability === 'transient_local' ? { cache: Math.max(1, qos.depth) } : {}),
    };
  }

  async open(): Promise<void> {
    this.#space = await this.#session.space();
    await this.#outlet(this.#own.hash!);
    this.#watch = this.#session.graph.listen((entity, alive) => this.#meet(entity, alive));
    for (const entity of this.#session.graph.entities()) this.#meet(entity, true);
  }

  get type(): string {
    return this.#own.type;
  }

  /** Subscriptions of other nodes that hear this topic. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /**
   * False when it was not taken: closed, or too much is waiting. `must`: it waits for room on a link that is full,
   * where others are dropped.
   */
  offer(bytes: Uint8Array, { must = false }: { readonly must?: boolean } = {}): boolean {
    if (this.#closed || this.#waiting >= WAITING_MESSAGES_MAX) return false;
    if (this.#waitingBytes + bytes.length > WAITING_BYTES_MAX) return false;
    const stamp = this.#session.clock.now();
    if (!this.#space) return false;
    for (const outlet of this.#outlets.values()) this.#send(this.#space, outlet, bytes, stamp, must);
    return this.#outlets.size > 0;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    await Promise.all([...this.#outlets.values()].map(({ endpoint }) => endpoint.undeclare()));
  }

  #send(space: KeySpace, outlet: Outlet, bytes: Uint8Array, stamp: bigint, must: boolean): void {
    outlet.sequence += 1n;
    const attachment = makeAttachment(outlet.sequence, stamp, outlet.endpoint.gid);
    this.#waiting += 1;
    this.#waitingBytes += bytes.length;
    space
      .put(outlet.key, bytes, { ...this.#options, ...(must ? { congestion: 'block' } : {}), attachment })
      .catch((error: unknown) => {
        if (!this.#closed)
          this.#tell(
            `${this.#own.topic}: could not be published: ${EdgeError.from(error, 'zenoh.failed', 'publish', outlet.key).message}`,
          );
      })
      .finally(() => {
        this.#waiting -= 1;
        this.#waitingBytes -= bytes.length;
      });
  }

  #meet(entity: Entity, alive: boolean): void {
    const { end } = entity;
    if (entity.kind !== 'MS' || end?.name !== this.#own.topic || this.#session.isOwn(entity)) return;
    const id = `${entity.zid}/${entity.nodeId}/${entity.entityId}`;
    if (!alive) return void this.#listeners.delete(id);
    const same = end.type === this.#own.type;
    if (same && (end.hash === this.#own.hash || end.hash === NO_TYPE_HASH)) this.#listeners.set(id, entity);
    // Humble listens on a key without a hash.
    if (same && end.hash === NO_TYPE_HASH) {
      this.#outlet(NO_TYPE_HASH).catch((error: unknown) =>
        this.#tell(`${this.#own.topic}: ${String(error)}`),
      );
    }
    const fault = peerFault(this.#own, entity);
    if (fault) this.#session.peerFaults.tell(this.#own.topic, 'out', this.#own.qos, fault);
  }

  async #outlet(hash: string): Promise<void> {
    if (this.#outlets.has(hash)) return;
    const { topic, type, qos } = this.#own;
    const endpoint = await this.#session.announce('MP', topic, type, hash, qos);
    if (this.#closed || this.#outlets.has(hash)) return endpoint.undeclare();
    const key = dataKey(this.#session.options.domain, topic, type, hash);
    this.#outlets.set(hash, { key, endpoint, sequence: 0n });
  }

  #tell(message: string): void {
    if (this.#told.has(message) || this.#told.size >= TOLD_MAX) return;
    this.#told.add(message);
    this.#session.report('warn', message);
  }
}
