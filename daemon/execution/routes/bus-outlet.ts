import type { Sample } from '../../../contract/core.ts';
import type { SampleBus } from '../bus/index.ts';
import type { Sent } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import type { Outlet, Route } from './route.ts';

/** Samples from the key space onto the bus of this daemon: recorded, and seen by any listener. */
export class BusOutlet implements Outlet {
  readonly #bus: SampleBus;
  readonly #newest = new WeakMap<Lane, Sample>();

  constructor(bus: SampleBus) {
    this.#bus = bus;
  }

  prepare(): undefined {}

  send(_route: Route, lane: Lane, sample: Sample): Sent {
    this.#newest.set(lane, sample);
    this.#bus.publish(sample, 'zenoh');
    return 'done';
  }

  /** The bus forgets the topic, unless somebody else has published it since. */
  release(lane: Lane): void {
    const newest = this.#newest.get(lane);
    if (newest && this.#bus.last(newest.topic) === newest) this.#bus.forget([newest.topic]);
  }
}
