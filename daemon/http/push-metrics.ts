import type { Counter, Gauge } from 'prom-client';
import type { PushStats } from '../../contract/index.ts';

type Make<T> = (name: string, help: string, labelNames?: string[]) => T;

/** What became of push notifications to A2A clients. */
export class PushMetrics {
  readonly #configs: Gauge;
  readonly #waiting: Gauge;
  readonly #states: Counter;
  readonly #failures: Counter;

  constructor(gauge: Make<Gauge>, counter: Make<Counter>) {
    this.#configs = gauge('a2a_push_configs', 'push notification configs whose task is not delivered yet');
    this.#waiting = gauge('a2a_push_waiting', 'states of tasks that wait for a receiver');
    this.#states = counter('a2a_push_states_total', 'states of tasks by what became of them', ['outcome']);
    this.#failures = counter('a2a_push_failures_total', 'tries to deliver that failed');
  }

  show({ configs, waiting, delivered, failed, dropped, expired }: PushStats): void {
    this.#configs.set(configs);
    this.#waiting.set(waiting);
    this.#states.reset();
    for (const [outcome, count] of Object.entries({ delivered, dropped, expired }))
      this.#states.inc({ outcome }, count);
    this.#failures.reset();
    this.#failures.inc(failed);
  }
}
