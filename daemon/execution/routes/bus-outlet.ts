import type { Sample } from '../../../contract/core.ts';
import type { SampleBus } from '../bus/index.ts';
import type { Sent } from './dispatcher.ts';
import type { Lane } from './lane.ts';
import type { Outlet, Route } from './route.ts';

/** Samples from the key space onto the bus of this daemon: recorded, and seen by whoever listens. */
export class BusOutlet implements Outlet {
  readonly #bus: SampleBus;

  constructor(bus: SampleBus) {
    this.#bus = bus;
  }

  prepare(): undefined {}

  send(_route: Route, _lane: Lane, sample: Sample): Sent {
    this.#bus.publish(sample, 'zenoh');
    return 'done';
  }
}
