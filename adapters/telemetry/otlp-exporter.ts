import { type Attributes, type HrTime, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import {
  type Clock,
  EdgeError,
  fromWireTime,
  type SpanExporter,
  type TraceSpan,
  withDeadline,
} from '../../contract/core.ts';

/** One request is given this long; milliseconds. */
const REQUEST_MS = 10_000;
/** A little more: the client has its own deadline, and this one holds if the client never answers. */
const DEAF_MS = REQUEST_MS + 2_000;

export type OtlpOptions = {
  /** Whole address, for example `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** `service.name`, `service.instance.id`, `service.version` ... */
  readonly resource: Readonly<Record<string, string>>;
  readonly clock: Clock;
};

/** OTLP over HTTP, by OpenTelemetry's own exporter. Nothing is queued here: who exports waits for the answer. */
export class OtlpExporter implements SpanExporter {
  readonly name = 'otlp';
  readonly #client: OTLPTraceExporter;
  readonly #resource: Resource;
  readonly #options: OtlpOptions;

  constructor(options: OtlpOptions) {
    this.#options = options;
    this.#resource = resourceFromAttributes({ ...options.resource });
    this.#client = new OTLPTraceExporter({
      url: options.url,
      headers: { ...options.headers },
      timeoutMillis: REQUEST_MS,
      concurrencyLimit: 1,
    });
  }

  async export(spans: readonly TraceSpan[]): Promise<void> {
    const { clock, url } = this.#options;
    const readable = spans.map((span) => readableSpan(span, this.#resource));
    const sent = new Promise<void>((resolve, reject) => {
      this.#client.export(readable, ({ code, error }) => {
        if (code === 0) resolve();
        else reject(failure(url, error));
      });
    });
    await withDeadline(clock, DEAF_MS, sent, 'export spans', url);
  }

  async close(): Promise<void> {
    await withDeadline(this.#options.clock, 1_000, this.#client.shutdown(), 'close', 'otlp').catch(() => {});
  }
}

/** A server that says 4xx takes these spans at no time; anything else may pass. */
function failure(url: string, error: Error | undefined): EdgeError {
  const status = (error as { code?: unknown } | undefined)?.code;
  const refused =
    typeof status === 'number' && status >= 400 && status < 500 && status !== 429 && status !== 408;
  return new EdgeError(refused ? 'link.refused' : 'link.unreachable', {
    operation: 'export spans',
    subject: url,
    message: `${url}: ${error?.message ?? 'no answer'}`,
    cause: error,
  });
}

const KINDS: Readonly<Partial<Record<TraceSpan['kind'], SpanKind>>> = {
  intent: SpanKind.SERVER,
  model: SpanKind.CLIENT,
};

function readableSpan(span: TraceSpan, resource: Resource): ReadableSpan {
  const start = hrTime(fromWireTime(span.start_ns));
  const end = fromWireTime(span.end_ns ?? span.start_ns);
  const length = end - fromWireTime(span.start_ns);
  const context = (spanId: string) => ({
    traceId: span.trace_id,
    spanId,
    traceFlags: TraceFlags.SAMPLED,
  });
  const attributes: Attributes = { ...span.attributes };
  return {
    name: span.name,
    kind: KINDS[span.kind] ?? SpanKind.INTERNAL,
    spanContext: () => context(span.span_id),
    ...(span.parent_id === undefined ? {} : { parentSpanContext: context(span.parent_id) }),
    startTime: start,
    endTime: hrTime(end),
    status: span.ok ? { code: SpanStatusCode.UNSET } : { code: SpanStatusCode.ERROR, message: span.error },
    attributes,
    links: [],
    events: [],
    duration: hrTime(length < 0n ? 0n : length),
    ended: true,
    resource,
    instrumentationScope: { name: 'auraison-edge' },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function hrTime(ns: bigint): HrTime {
  return [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];
}
