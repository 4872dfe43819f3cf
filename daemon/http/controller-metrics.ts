import type { Counter, Gauge } from 'prom-client';
import { type CellBus, type ControllerView, LIMITS, METHODS } from '../../contract/index.ts';

type Make<T> = (name: string, help: string, labelNames?: string[]) => T;

/** Asked of the execution cell at each scrape; values it does not have are empty. */
export async function askControllers(bus: Pick<CellBus, 'request'>): Promise<readonly ControllerView[]> {
  const { controllerList } = METHODS.execution;
  return bus.request('execution', controllerList, {}, LIMITS.STATUS_PART_MS).catch(() => []);
}

/** Figures of the control loops. Labels are names of the configuration; counters start again with each start. */
export class ControllerMetrics {
  readonly #running: Gauge;
  readonly #late: Gauge;
  readonly #inference: Gauge;
  readonly #steps: Counter;
  readonly #starved: Counter;
  readonly #limited: Counter;
  readonly #refused: Counter;
  readonly #chunks: Counter;

  constructor(gauge: Make<Gauge>, counter: Make<Counter>) {
    const label = ['controller'];
    this.#running = gauge('controller_running', '1 while it runs or starves', label);
    this.#late = gauge(
      'controller_late_seconds',
      'lateness of steps; net: without what the thread waited for a processor',
      ['controller', 'quantile', 'net'],
    );
    this.#inference = gauge('controller_inference_seconds', 'from measurement to chunk', [
      'controller',
      'quantile',
    ]);
    this.#steps = counter('controller_steps_total', 'control steps since it was started', label);
    this.#starved = counter('controller_starved_total', 'steps without an unexpired action', label);
    this.#limited = counter('controller_limited_total', 'steps that the gate made smaller', label);
    this.#refused = counter('controller_refused_total', 'steps that the gate refused', label);
    this.#chunks = counter('controller_chunks_total', 'chunks that a policy gave', label);
  }

  show(views: readonly ControllerView[]): void {
    for (const gauge of [this.#running, this.#late, this.#inference]) gauge.reset();
    for (const counter of [this.#steps, this.#starved, this.#limited, this.#refused, this.#chunks])
      counter.reset();
    for (const view of views) {
      const controller = view.name;
      this.#running.set({ controller }, view.state === 'running' || view.state === 'starved' ? 1 : 0);
      this.#steps.inc({ controller }, view.steps);
      this.#starved.inc({ controller }, view.starved);
      this.#limited.inc({ controller }, view.clamped);
      this.#refused.inc({ controller }, view.refused);
      this.#chunks.inc({ controller }, view.chunks);
      const late = (quantile: string, net: string, ms: number | undefined) => {
        if (ms !== undefined) this.#late.set({ controller, quantile, net }, ms / 1_000);
      };
      late('0.99', 'no', view.late_p99_ms);
      late('1', 'no', view.late_max_ms);
      late('0.99', 'yes', view.late_net_p99_ms);
      if (view.inference_p50_ms !== undefined)
        this.#inference.set({ controller, quantile: '0.5' }, view.inference_p50_ms / 1_000);
      if (view.inference_p99_ms !== undefined)
        this.#inference.set({ controller, quantile: '0.99' }, view.inference_p99_ms / 1_000);
    }
  }
}
