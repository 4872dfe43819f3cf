import type { KeySpace, PublishOptions } from '../../contract/core.ts';
import { DeliveryRules } from './delivery.ts';
import type { DeliveryRule } from './policy-types.ts';

/**
 * A key space that sends values of low priority over a connection of their own. In one connection a small value
 * waits behind what the kernel has already taken of a large one, whatever their priorities: over 2 Mbit/s with
 * losses that is seconds (docs/zenoh.md). Everything else, and all that is received, is the first one's.
 */
export class BulkLane implements KeySpace {
  readonly #main: KeySpace;
  readonly #bulk: KeySpace;
  readonly #delivery: DeliveryRules;
  readonly subscribe: KeySpace['subscribe'];
  readonly query: KeySpace['query'];
  readonly queryable: KeySpace['queryable'];
  readonly liveliness: KeySpace['liveliness'];
  readonly watchLiveliness: KeySpace['watchLiveliness'];
  /** Absent where the driver has none: see the port. */
  readonly allocate?: NonNullable<KeySpace['allocate']>;

  /** `delivery`: the rules that both connections apply; they decide what is of low priority. */
  constructor(main: KeySpace, bulk: KeySpace, delivery?: readonly DeliveryRule[]) {
    this.#main = main;
    this.#bulk = bulk;
    this.#delivery = new DeliveryRules(delivery);
    this.subscribe = main.subscribe.bind(main);
    this.query = main.query.bind(main);
    this.queryable = main.queryable.bind(main);
    this.liveliness = main.liveliness.bind(main);
    this.watchLiveliness = main.watchLiveliness.bind(main);
    // Values that are filled in place are large ones.
    if (bulk.allocate) this.allocate = bulk.allocate.bind(bulk);
  }

  id(): string {
    return this.#main.id();
  }

  put(key: string, payload: Uint8Array, options: PublishOptions = {}): Promise<void> {
    return this.#laneOf(key, options).put(key, payload, options);
  }

  delete(key: string): Promise<void> {
    return this.#laneOf(key, {}).delete(key);
  }

  async close(): Promise<void> {
    await Promise.all([this.#main.close(), this.#bulk.close()]);
  }

  #laneOf(key: string, options: PublishOptions): KeySpace {
    const { priority } = this.#delivery.apply(key, options);
    return priority === 'data_low' || priority === 'background' ? this.#bulk : this.#main;
  }
}
