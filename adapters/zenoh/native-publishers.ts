import type { PublishOptions } from '../../contract/index.ts';
import type { NativeSession } from './native-types.ts';

/**
 * Publishers kept declared. A declared publisher costs one announcement and then sends small headers, and
 * nothing at all while nobody subscribes. Beyond this many the one unused for longest is undeclared.
 */
const PUBLISHERS_MAX = 512;

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

/** One declared publisher per key and manner of sending. */
export class NativePublishers {
  readonly #session: NativeSession;
  /** In order of last use, oldest first: the order in which a Map iterates. */
  readonly #entries = new Map<string, PublisherEntry>();

  constructor(session: NativeSession) {
    this.#session = session;
  }

  get(key: string, options: PublishOptions): PublisherEntry {
    const name = `${key}\0${options.encoding ?? ''}\0${options.priority ?? ''}\0${options.congestion ?? ''}\0${options.express ?? ''}`;
    const known = this.#entries.get(name);
    if (known) {
      if (this.#entries.size > PUBLISHERS_MAX / 2) {
        this.#entries.delete(name);
        this.#entries.set(name, known);
      }
      return known;
    }
    const ready = this.#session.declarePublisher(key, options.encoding, options.congestion === 'block', {
      ...(options.priority === undefined ? {} : { priority: PRIORITY[options.priority] }),
      ...(options.express === undefined ? {} : { express: options.express }),
    });
    const entry: PublisherEntry = { id: undefined, ready };
    this.#entries.set(name, entry);
    ready.then(
      (id) => {
        entry.id = id;
      },
      () => this.#entries.delete(name),
    );
    this.#evict();
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
