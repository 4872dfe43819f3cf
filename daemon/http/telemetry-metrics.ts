import type { Counter } from 'prom-client';
import type { TelemetryStats } from '../../contract/index.ts';

type Make = (name: string, help: string, labelNames?: string[]) => Counter;
const LABELS = ['exporter', 'cell'];

/** What became of spans. There are at most two exporters of two cells. */
export class TelemetryMetrics {
  readonly #exported: Counter;
  readonly #dropped: Counter;
  readonly #failures: Counter;

  constructor(counter: Make) {
    this.#exported = counter('telemetry_spans_exported_total', 'spans that an exporter has taken', LABELS);
    this.#dropped = counter('telemetry_spans_dropped_total', 'spans refused or dropped', LABELS);
    this.#failures = counter('telemetry_failures_total', 'tries to export that failed', LABELS);
  }

  /** By `<exporter> <cell>`. */
  show(stats: Readonly<Record<string, TelemetryStats>>): void {
    for (const counter of [this.#exported, this.#dropped, this.#failures]) counter.reset();
    for (const [name, { exported, dropped, failures }] of Object.entries(stats)) {
      const [exporter = '', cell = ''] = name.split(' ');
      this.#exported.inc({ exporter, cell }, exported);
      this.#dropped.inc({ exporter, cell }, dropped);
      this.#failures.inc({ exporter, cell }, failures);
    }
  }
}
