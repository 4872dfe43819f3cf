import {
  type Clock,
  EdgeError,
  type EventKind,
  type EventReader,
  fromWireTime,
  pause,
  type SpanExporter,
  type TelemetryStats,
  type TraceSpan,
} from '../../../contract/index.ts';
import { SpanFold } from './span-fold.ts';

const BATCH_EVENTS = 500;
/** How often the log is looked at, milliseconds. Traces need no closer look. */
const LOOK_MS = 1_000;
/** Between two tries at an exporter that fails, doubling, milliseconds. */
const RETRY_MS = 1_000;
const RETRY_MS_MAX = 60_000;
/** Spans that were not taken for this long are dropped and counted, milliseconds. */
const KEPT_MS = 3_600_000;

/** Where reading continues after a restart: from `from`, with what ends up to `done` exported already. */
export type ShipperPlace = { readonly from: number; readonly done: number };

export type TraceShipperParts = {
  /** May throw while the log is not there yet. */
  readonly openReader: () => EventReader;
  readonly kinds: readonly EventKind[];
  readonly exporter: SpanExporter;
  /** Share of the traces that are exported, 0 to 1; the same traces everywhere, by their id. */
  readonly ratio: number;
  readonly clock: Clock;
  /** Undefined: nothing was kept; then only what happens from now on is exported. */
  readonly load: () => ShipperPlace | undefined;
  /** Best effort: what is exported twice has the same ids. */
  readonly save: (place: ShipperPlace) => void;
  readonly report: (
    level: 'info' | 'warn',
    message: string,
    facts: Readonly<Record<string, unknown>>,
  ) => void;
};

/**
 * Exports the spans of one log. The log is the queue: an exporter that fails holds nothing up and costs no memory, its
 * spans are folded from the log when it takes them again, and those that became too old are counted as dropped.
 */
export class TraceShipper {
  readonly #parts: TraceShipperParts;
  readonly #stop = new AbortController();
  readonly #fold = new SpanFold();
  #reader: EventReader | undefined;
  #cursor = 0;
  #done = 0;
  #failing = false;
  #running: Promise<void> | undefined;
  #stats = { exported: 0, dropped: 0, failures: 0 };

  constructor(parts: TraceShipperParts) {
    this.#parts = parts;
  }

  stats(): TelemetryStats {
    return { ...this.#stats };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives what is in the log by now one more chance, then lets go. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    this.#reader?.close();
    await this.#parts.exporter.close();
  }

  async #run(): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      let more = false;
      try {
        more = await this.#step();
      } catch (thrown) {
        // A log that cannot be read now, such as one that is not there yet.
        this.#reader?.close();
        this.#reader = undefined;
        this.#parts.report('warn', 'spans cannot be read from the log', {
          error: EdgeError.from(thrown, 'log.failed', 'read', 'log').message,
        });
        await pause(clock, RETRY_MS_MAX, signal);
      }
      if (!more) await pause(clock, LOOK_MS, signal);
    }
    await this.#step().catch(() => false);
  }

  /** One batch of events. False where there was nothing new. */
  async #step(): Promise<boolean> {
    const reader = this.#open();
    const events = reader.read(this.#cursor, BATCH_EVENTS, { kinds: this.#parts.kinds });
    if (events.length === 0) return false;
    const spans: TraceSpan[] = [];
    for (const event of events) {
      for (const { span, sampled } of this.#fold.feed(event))
        if (event.seq > this.#done && sampled !== false && this.#chosen(span.trace_id)) spans.push(span);
    }
    if (spans.length > 0 && !(await this.#deliver(spans))) return false;
    this.#cursor = events.at(-1)!.seq;
    this.#done = Math.max(this.#done, this.#cursor);
    const oldest = this.#fold.oldest();
    this.#parts.save({ from: oldest === undefined ? this.#cursor : oldest - 1, done: this.#done });
    return events.length === BATCH_EVENTS;
  }

  #open(): EventReader {
    if (this.#reader) return this.#reader;
    const reader = this.#parts.openReader();
    this.#reader = reader;
    if (this.#cursor > 0) return reader;
    const place = this.#parts.load();
    const last = reader.lastSeq();
    // A place beyond the end is that of another log.
    const known =
      place && place.done <= last && place.from <= place.done ? place : { from: last, done: last };
    this.#cursor = known.from;
    this.#done = known.done;
    return reader;
  }

  /** The same choice as OpenTelemetry's ratio sampler: by the last 7 bytes of the trace id. */
  #chosen(traceId: string): boolean {
    return Number.parseInt(traceId.slice(-14, -1), 16) / 16 ** 13 < this.#parts.ratio;
  }

  /** True once they are delivered, or dropped; false where this ends before. */
  async #deliver(spans: readonly TraceSpan[]): Promise<boolean> {
    const { exporter, clock, report } = this.#parts;
    let wait = RETRY_MS;
    let left = spans;
    for (;;) {
      try {
        await exporter.export(left);
        this.#stats.exported += left.length;
        if (this.#failing)
          report('info', 'spans are taken again', { exporter: exporter.name, ...this.#stats });
        this.#failing = false;
        return true;
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'link.unreachable', 'export spans', exporter.name);
        this.#stats.failures++;
        if (!this.#failing)
          report('warn', 'spans are not taken', { exporter: exporter.name, error: error.message });
        this.#failing = true;
        const fresh = error.code === 'link.refused' ? [] : left.filter((span) => this.#fresh(span));
        this.#stats.dropped += left.length - fresh.length;
        left = fresh;
        if (left.length === 0) return true;
      }
      if (this.#stop.signal.aborted) return false;
      await pause(clock, wait, this.#stop.signal);
      if (this.#stop.signal.aborted) return false;
      wait = Math.min(wait * 2, RETRY_MS_MAX);
    }
  }

  #fresh(span: TraceSpan): boolean {
    const age = this.#parts.clock.now() - fromWireTime(span.end_ns ?? span.start_ns);
    return age < BigInt(KEPT_MS) * 1_000_000n;
  }
}
