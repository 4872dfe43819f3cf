import { EdgeError, type PublishOptions } from '../../contract/core.ts';
import type { NativeGate } from './native-gate.ts';
import type { NativeSession } from './native-types.ts';

/**
 * Publishers kept declared. A declared publisher costs one announcement and then sends small headers, and
 * nothing at all without a subscriber. Beyond this many the one unused for longest is undeclared.
 */
const PUBLISHERS_MAX = 512;
/** Publishers with a cache are never undeclared: others count on what they keep. A further one is refused. */
const CACHES_MAX = 4096;
/** Values that one publisher keeps; ROS asks for at most its history depth. */
const CACHE_VALUES_MAX = 100_000;

const PRIORITY = {
  real_time: 1,
  interactive_high: 2,
  interactive_low: 3,
  data_high: 4,
  data: 5,
  data_low: 6,
  background: 7,
} as const;

export type PublisherEntry = { id: number | undefined; readonly ready: Promise<number> };

/** One declared publisher per key and delivery. */
export class NativePublishers {
  readonly #session: NativeSession;
  readonly #gate: NativeGate;
  /** In order of last use, oldest first: the order in which a Map iterates. */
  readonly #entries = new Map<string, PublisherEntry>();
  readonly #caching = new Map<string, PublisherEntry>();

  constructor(session: NativeSession, gate: NativeGate) {
    this.#session = session;
    this.#gate = gate;
  }

  /** Throws `cell.overloaded` for one cache too many. */
  get(key: string, options: PublishOptions): PublisherEntry {
    const name = `${key}\0${options.encoding ?? ''}\0${options.priority ?? ''}\0${options.congestion ?? ''}\0${options.express ?? ''}`;
    return options.cache === undefined ? this.#plain(name, key, options) : this.#cached(key, options);
  }

  #plain(name: string, key: string, options: PublishOptions): PublisherEntry {
    const known = this.#entries.get(name);
    if (known) {
      if (this.#entries.size > PUBLISHERS_MAX / 2) {
        this.#entries.delete(name);
        this.#entries.set(name, known);
      }
      return known;
    }
    const entry = this.#declare(key, options, 0, () => this.#entries.delete(name));
    this.#entries.set(name, entry);
    this.#evict();
    return entry;
  }

  /** One per key and depth, whatever else changes: two caches would send everything twice to late joiners. */
  #cached(key: string, options: PublishOptions): PublisherEntry {
    const depth = Math.max(1, Math.min(Math.floor(options.cache ?? 1), CACHE_VALUES_MAX));
    const name = `${key}\0${depth}`;
    const known = this.#caching.get(name);
    if (known) return known;
    if (this.#caching.size >= CACHES_MAX) {
      throw new EdgeError('cell.overloaded', {
        operation: 'put',
        subject: key,
        message: `${CACHES_MAX} keys with a cache are already published`,
        hint: 'publish fewer keys with a cache, or put them without',
      });
    }
    const entry = this.#declare(key, options, depth, () => this.#caching.delete(name));
    this.#caching.set(name, entry);
    return entry;
  }

  #declare(key: string, options: PublishOptions, cache: number, onFailure: () => void): PublisherEntry {
    const delivery = {
      ...(options.priority === undefined ? {} : { priority: PRIORITY[options.priority] }),
      ...(options.express === undefined ? {} : { express: options.express }),
    };
    const block = options.congestion === 'block';
    const ready = this.#gate.run(() =>
      this.#session.declarePublisher(key, options.encoding, block, cache, delivery),
    );
    const entry: PublisherEntry = { id: undefined, ready };
    ready.then((id) => {
      entry.id = id;
    }, onFailure);
    return entry;
  }

  #evict(): void {
    if (this.#entries.size <= PUBLISHERS_MAX) return;
    for (const [name, entry] of this.#entries) {
      // One that is still being declared is in use.
      if (entry.id === undefined) continue;
      this.#entries.delete(name);
      // After the sends that hold it; a failure means that the session is gone, and the publisher with it.
      this.#session.undeclare(entry.id).catch(() => {});
      return;
    }
  }
}
