import type { Counter, Gauge } from 'prom-client';
import { ROUTE_STATES, type RouteStatus } from '../../contract/index.ts';

type Make<T> = (name: string, help: string, labelNames: string[]) => T;

/** The figures of the routes. Routes come from the configuration, so their labels are bounded. */
export class RouteMetrics {
  readonly #state: Gauge;
  readonly #age: Gauge;
  readonly #queued: Gauge;
  readonly #queuedBytes: Gauge;
  readonly #rate: Gauge;
  readonly #messages: Counter;
  readonly #bytes: Counter;
  readonly #dropped: Counter;
  readonly #rebuilds: Counter;

  constructor(gauge: Make<Gauge>, counter: Make<Counter>) {
    this.#state = gauge('route_state', '1 for the state that the route is in', ['route', 'state']);
    this.#age = gauge('route_newest_age_seconds', 'since the newest sample was handed on', ['route']);
    this.#queued = gauge('route_queued_samples', 'samples that wait or are in flight', ['route']);
    this.#queuedBytes = gauge('route_queued_bytes', 'bytes that wait or are in flight', ['route']);
    this.#rate = gauge('route_messages_per_second', 'samples handed on in the last second', ['route']);
    this.#messages = counter('route_messages_total', 'samples handed on', ['route']);
    this.#bytes = counter('route_bytes_total', 'bytes handed on', ['route']);
    this.#dropped = counter('route_dropped_total', 'samples that were not handed on, by reason', [
      'route',
      'reason',
    ]);
    this.#rebuilds = counter('route_rebuilds_total', 'times the route was declared again', ['route']);
  }

  show(routes: readonly RouteStatus[]): void {
    for (const counter of [this.#messages, this.#bytes, this.#dropped, this.#rebuilds]) counter.reset();
    for (const status of routes) {
      const route = status.name;
      for (const state of ROUTE_STATES) this.#state.set({ route, state }, status.state === state ? 1 : 0);
      if (status.age_ms !== null) this.#age.set({ route }, status.age_ms / 1_000);
      this.#queued.set({ route }, status.queued);
      this.#queuedBytes.set({ route }, status.queued_bytes);
      this.#rate.set({ route }, status.messages_per_second);
      this.#messages.inc({ route }, status.messages);
      this.#bytes.inc({ route }, status.bytes);
      this.#rebuilds.inc({ route }, status.rebuilds);
      for (const [reason, count] of Object.entries(status.dropped))
        this.#dropped.inc({ route, reason }, count);
    }
  }
}
