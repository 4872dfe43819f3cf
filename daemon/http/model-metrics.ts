import type { Counter, Gauge } from 'prom-client';
import type { EngineView, ModelView } from '../../contract/index.ts';

type Make<T> = (name: string, help: string, labelNames?: string[]) => T;

/** Figures of the models. Labels are names of the configuration, so they are bounded by it. */
export class ModelMetrics {
  readonly #up: Gauge;
  readonly #inRow: Gauge;
  readonly #running: Gauge;
  readonly #waiting: Gauge;
  readonly #calls: Counter;
  readonly #failures: Counter;
  readonly #tokens: Counter;
  readonly #cost: Counter;
  readonly #serverRunning: Gauge;
  readonly #serverWaiting: Gauge;
  readonly #cache: Gauge;
  readonly #engine: Gauge;
  readonly #restarts: Counter;

  constructor(gauge: Make<Gauge>, counter: Make<Counter>) {
    this.#up = gauge('model_up', 'the model answers, as far as is known', ['model']);
    this.#inRow = gauge('model_failures_in_row', 'failures since it last answered', ['model']);
    this.#running = gauge('model_calls_running', 'running calls', ['model']);
    this.#waiting = gauge('model_calls_waiting', 'calls that wait, here and at its server', ['model']);
    this.#serverRunning = gauge('model_server_running', 'requests that its server works on', ['model']);
    this.#serverWaiting = gauge('model_server_waiting', 'requests that wait at its server', ['model']);
    this.#cache = gauge('model_cache_usage', 'share of its cache for attention that is taken, 0 to 1', [
      'model',
    ]);
    this.#engine = gauge('engine_ready', 'the engine of this daemon is ready, or sleeps', ['model', 'state']);
    this.#restarts = counter('engine_restarts_total', 'the engine was started again', ['model']);
    this.#calls = counter('model_calls_total', 'calls that ended', ['model']);
    this.#failures = counter('model_failures_total', 'calls without an answer', ['model']);
    this.#tokens = counter('model_tokens_total', 'tokens, as servers counted', ['model', 'direction']);
    this.#cost = counter('model_cost_usd_total', 'US dollars, as configured', ['model']);
  }

  show(views: readonly ModelView[]): void {
    const gauges = [this.#up, this.#inRow, this.#running, this.#waiting, this.#serverRunning];
    // A model that was taken out has no figures.
    for (const gauge of [...gauges, this.#serverWaiting, this.#cache]) gauge.reset();
    for (const counter of [this.#calls, this.#failures, this.#tokens, this.#cost]) counter.reset();
    for (const view of views) {
      const model = view.name;
      this.#up.set({ model }, view.state === 'up' || view.state === 'failing' ? 1 : 0);
      this.#inRow.set({ model }, view.failuresInRow);
      this.#running.set({ model }, view.running);
      this.#waiting.set({ model }, view.waiting + (view.health?.queueDepth ?? 0));
      if (view.health?.running !== undefined) this.#serverRunning.set({ model }, view.health.running);
      if (view.health) this.#serverWaiting.set({ model }, view.health.queueDepth);
      if (view.health?.cacheUsage !== undefined) this.#cache.set({ model }, view.health.cacheUsage);
      this.#calls.inc({ model }, view.calls);
      this.#failures.inc({ model }, view.failures);
      this.#tokens.inc({ model, direction: 'in' }, view.tokensIn);
      this.#tokens.inc({ model, direction: 'out' }, view.tokensOut);
      this.#cost.inc({ model }, view.costUsd);
    }
  }

  /** Undefined: none is run, also where one was before. */
  showEngine(view: EngineView | undefined): void {
    this.#engine.reset();
    this.#restarts.reset();
    if (view === undefined) return;
    const { engine: model, state, restarts } = view;
    this.#engine.set({ model, state }, state === 'ready' || state === 'sleeping' ? 1 : 0);
    this.#restarts.inc({ model }, restarts);
  }
}
