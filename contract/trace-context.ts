/**
 * W3C Trace Context (https://www.w3.org/TR/trace-context/), level 1: version 00, trace id, span id, flags.
 * Ids of spans are taken from ids of the log, so that a restart, a replay and an exporter in another process
 * all name the same span without exchanging anything.
 */
export type TraceContext = {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero. */
  readonly spanId: string;
  /** The client that started the trace wants it to be kept. */
  readonly sampled: boolean;
};

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Undefined for what is no trace context: a trace is then started again, as the specification asks. */
export function parseTraceparent(text: string | undefined): TraceContext | undefined {
  const match = TRACEPARENT.exec(text ?? '');
  if (!match) return undefined;
  const [, version, traceId, spanId, flags, rest] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string?,
  ];
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
}

/** The span id of anything that has a UUIDv7: its last 8 bytes, which are random and never all zero. */
export function spanIdOf(uuid: string): string {
  return uuid.replaceAll('-', '').slice(16);
}

/** What is known of a run when its spans are named. */
type TracedRun = { readonly runId: string; readonly traceparent?: string | undefined };

/** The trace of a run: the one its intent came with, else one whose id is the id of the run. */
export function traceIdOf({ runId, traceparent }: TracedRun): string {
  return parseTraceparent(traceparent)?.traceId ?? runId.replaceAll('-', '');
}

/**
 * The trace context to hand on from a step of a run (a tool call, a call of a model) to the process that works for it.
 * `stepId` is the UUIDv7 of the step.
 */
export function traceparentOf(run: TracedRun, stepId: string): string {
  const given = parseTraceparent(run.traceparent);
  return formatTraceparent({
    traceId: traceIdOf(run),
    spanId: spanIdOf(stepId),
    sampled: given?.sampled ?? true,
  });
}
