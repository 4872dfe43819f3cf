import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import {
  CELL_NAMES,
  type ControllerView,
  type EngineView,
  type ExecutionStatus,
  type LeaseRole,
  type ModelView,
  type PushStats,
  RECORDER_HOP,
  RUN_STATUSES,
  type TelemetryStats,
} from '../../contract/index.ts';
import type { CellView } from './cells-view.ts';
import { ControllerMetrics } from './controller-metrics.ts';
import { ModelMetrics } from './model-metrics.ts';
import { PolicyMetrics, type PolicyViews } from './policy-metrics.ts';
import { PushMetrics } from './push-metrics.ts';
import { RouteMetrics } from './route-metrics.ts';
import type { StatusParts } from './status-view.ts';
import { TelemetryMetrics } from './telemetry-metrics.ts';

const LEASE_ROLES: readonly LeaseRole[] = ['policy', 'agent', 'autonomy', 'central', 'teleoperation'];

/** Topics with a label of their own; the rest are summed under `other`, so that labels stay bounded. */
const TOPIC_LABELS_MAX = 256;

/** The figures of this daemon for Prometheus. Values of other cells are asked at each scrape, never pushed. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `auraison_${name}`, help, labelNames, registers: [this.#registry] });
  readonly #counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `auraison_${name}`, help, labelNames, registers: [this.#registry] });

  readonly #cellUp = this.#gauge('cell_up', 'the cell runs and answers', ['cell']);
  readonly #restarts = this.#counter('cell_restarts_total', 'restarts since the daemon started', ['cell']);
  readonly #cellRss = this.#gauge('cell_resident_memory_bytes', 'resident memory of the cell', ['cell']);
  readonly #received = this.#counter(
    'samples_received_total',
    'samples that came to a hop: the recorder, or a route',
    ['topic', 'hop'],
  );
  readonly #written = this.#counter('samples_written_total', 'samples recorded', ['topic', 'hop']);
  readonly #forwarded = this.#counter('samples_forwarded_total', 'samples a route handed on', [
    'topic',
    'hop',
  ]);
  readonly #dropped = this.#counter('samples_dropped_total', 'samples lost at a hop, by reason', [
    'topic',
    'hop',
    'reason',
  ]);
  readonly #qosEvents = this.#counter(
    'ros_qos_events_total',
    'times quality of service did not fit, or a deadline or liveliness was missed',
    ['topic', 'direction', 'kind'],
  );
  readonly #routes = new RouteMetrics(this.#gauge, this.#counter);
  readonly #models = new ModelMetrics(this.#gauge, this.#counter);
  readonly #policies = new PolicyMetrics(this.#gauge, this.#counter);
  readonly #controllers = new ControllerMetrics(this.#gauge, this.#counter);
  readonly #telemetry = new TelemetryMetrics(this.#counter);
  readonly #push = new PushMetrics(this.#gauge, this.#counter);
  readonly #logSeq = this.#gauge('log_seq', 'last durable event of the log', ['cell']);
  readonly #runs = this.#gauge('runs', 'runs by status', ['status']);
  readonly #starved = this.#counter('control_starved_total', 'control steps without an unexpired action');
  readonly #ticks = this.#counter('control_ticks_total', 'control steps');
  readonly #estop = this.#gauge('estop_engaged', '1 while the emergency stop is engaged');
  readonly #withheld = this.#counter(
    'estop_withheld_total',
    'commands that did not reach the robot because of the emergency stop',
  );
  readonly #lease = this.#gauge('lease_held', '1 for the role that holds the actuation lease', ['role']);
  readonly #linkSent = this.#gauge('link_acknowledged_seq', 'last event that central holds', ['lane']);
  readonly #linkUp = this.#gauge('link_connected', 'central answers');
  readonly #streams = this.#gauge('stream_readers', 'open event streams');
  readonly #stalled = this.#counter(
    'stream_readers_stalled_total',
    'readers sent away because they took nothing',
  );
  readonly #durations = new Histogram({
    name: 'auraison_http_request_duration_seconds',
    help: 'time from request to answer',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [this.#registry],
  });

  readonly contentType = this.#registry.contentType;

  observe(method: string, route: string, status: number, seconds: number): void {
    this.#durations.observe({ method, route, status: `${Math.floor(status / 100)}xx` }, seconds);
  }

  streamOpened(): void {
    this.#streams.inc();
  }

  streamClosed(stalled: boolean): void {
    this.#streams.dec();
    if (stalled) this.#stalled.inc();
  }

  async scrape(
    parts: StatusParts,
    cells: readonly CellView[],
    logSeqs: Readonly<Record<string, number>>,
    models: readonly ModelView[] = [],
    telemetry: Readonly<Record<string, TelemetryStats>> = {},
    engine?: EngineView,
    policies?: PolicyViews,
    controllers: readonly ControllerView[] = [],
    push?: PushStats,
  ): Promise<string> {
    this.#models.show(models);
    this.#models.showEngine(engine);
    if (policies) this.#policies.show(policies);
    this.#controllers.show(controllers);
    this.#telemetry.show(telemetry);
    if (push) this.#push.show(push);
    for (const cell of cells) {
      const part = parts[cell.name];
      this.#cellUp.set({ cell: cell.name }, part.available ? 1 : 0);
      set(this.#restarts, cell.restarts, { cell: cell.name });
      this.#cellRss.set({ cell: cell.name }, cell.rss_bytes);
    }
    for (const cell of CELL_NAMES) this.#logSeq.set({ cell }, logSeqs[cell] ?? 0);
    if (parts.execution.available) this.#execution(parts.execution);
    if (parts.runtime.available) {
      for (const status of RUN_STATUSES) {
        this.#runs.set({ status }, parts.runtime.runs.filter((run) => run.status === status).length);
      }
    }
    if (parts.link.available) {
      this.#linkUp.set(parts.link.state === 'connected' ? 1 : 0);
      for (const [lane, state] of Object.entries(parts.link.lanes)) this.#linkSent.set({ lane }, state.sent);
    }
    return this.#registry.metrics();
  }

  #execution(status: ExecutionStatus): void {
    for (const counter of [this.#received, this.#written, this.#forwarded, this.#dropped]) counter.reset();
    const known = new Set<string>();
    for (const line of status.ledger) {
      if (known.size < TOPIC_LABELS_MAX) known.add(line.topic);
      const topic = known.has(line.topic) ? line.topic : 'other';
      const { hop = RECORDER_HOP } = line;
      this.#received.inc({ topic, hop }, line.received);
      if (line.hop === undefined) this.#written.inc({ topic, hop }, line.written);
      else this.#forwarded.inc({ topic, hop }, line.forwarded ?? 0);
      for (const [reason, count] of Object.entries(line.dropped))
        this.#dropped.inc({ topic, hop, reason }, count);
    }
    this.#qosEvents.reset();
    for (const { topic, direction, kind, count } of status.qosEvents ?? []) {
      const labelled = known.has(topic) || known.size < TOPIC_LABELS_MAX;
      if (labelled) known.add(topic);
      this.#qosEvents.inc({ topic: labelled ? topic : 'other', direction, kind }, count);
    }
    this.#routes.show(status.routes ?? []);
    this.#estop.set(status.estop?.engaged ? 1 : 0);
    set(this.#withheld, status.withheld ?? 0);
    for (const role of LEASE_ROLES) this.#lease.set({ role }, status.lease?.role === role ? 1 : 0);
    set(this.#ticks, status.control.ticks);
    set(this.#starved, status.control.starved);
  }
}

/** A counter with a value from elsewhere. */
function set(counter: Counter, value: number, labels: Record<string, string> = {}): void {
  if (Object.keys(labels).length === 0) counter.reset();
  else counter.remove(labels);
  counter.inc(labels, value);
}
