import {
  type AgentEvent,
  type EventPayload,
  fromWireTime,
  parseTraceparent,
  spanIdOf,
  type TraceSpan,
  toWireTime,
  traceIdOf,
} from '../../../contract/index.ts';
import { ATTRIBUTES as A, OPERATIONS, SPAN_NAMES } from './semantic-names.ts';

type Open = TraceSpan;
type Traced = {
  readonly traceId: string;
  readonly sampled: boolean;
  /** Log position of its first event that is still needed. */
  readonly seq: number;
  run: Open;
  phase: Open | undefined;
  readonly steps: Map<string, Open>;
};

/** Runs that are followed at a time: more unfinished ones than this are no robot's; the oldest is forgotten. */
const RUNS_MAX = 4_096;
/** Steps of one run that are open at a time. */
const STEPS_MAX = 1_024;

/** A finished span, and whether the caller that started its trace wants it kept; undefined: not said. */
export type DoneSpan = { readonly span: TraceSpan; readonly sampled: boolean | undefined };

/**
 * Spans of runs, folded from their events. Ids are taken from ids of the log: folding the same events again, after a
 * restart or elsewhere, gives the same spans. Pure but for its own memory, which is bounded.
 */
export class SpanFold {
  readonly #runs = new Map<string, Traced>();

  /** Position of the oldest event that an unfinished span still needs; undefined: none does. */
  oldest(): number | undefined {
    let least: number | undefined;
    for (const { seq } of this.#runs.values()) if (least === undefined || seq < least) least = seq;
    return least;
  }

  /** Open spans, as far as it is known. */
  unfinished(): TraceSpan[] {
    return [...this.#runs.values()].flatMap(({ run, phase, steps }) => [
      run,
      ...(phase ? [phase] : []),
      ...steps.values(),
    ]);
  }

  /** The spans that this event ends. */
  feed(event: AgentEvent): DoneSpan[] {
    if (event.kind === 'motion.ended') return motion(event);
    const runId = event.run_id;
    if (runId === undefined) return [];
    if (event.kind === 'intent.accepted') return this.#opened(event, runId);
    const traced = this.#runs.get(runId);
    if (!traced) return [];
    return this.#step(event, traced, runId).map((span) => ({ span, sampled: traced.sampled }));
  }

  #opened(event: AgentEvent<'intent.accepted'>, runId: string): DoneSpan[] {
    const { intent, app } = event.payload;
    const given = parseTraceparent(intent.traceparent);
    const traceId = traceIdOf({ runId, traceparent: intent.traceparent });
    const intentSpan: TraceSpan = {
      name: SPAN_NAMES.intent(intent.type),
      kind: 'intent',
      trace_id: traceId,
      span_id: spanIdOf(intent.intent_id),
      parent_id: given?.spanId,
      start_ns: event.ts,
      end_ns: event.ts,
      ok: true,
      error: '',
      attributes: {
        [A.intent]: intent.type,
        [A.tenant]: intent.policy_ctx.tenant,
        [A.principal]: intent.policy_ctx.principal,
        [A.origin]: intent.policy_ctx.origin,
      },
    };
    const run: Open = {
      ...intentSpan,
      name: SPAN_NAMES.run(app),
      kind: 'run',
      span_id: spanIdOf(runId),
      parent_id: intentSpan.span_id,
      end_ns: undefined,
      attributes: {
        [A.operation]: OPERATIONS.run,
        [A.agent]: app,
        [A.conversation]: runId,
        [A.runId]: runId,
        [A.app]: app,
      },
    };
    const sampled = given?.sampled ?? true;
    if (this.#runs.size >= RUNS_MAX) this.#runs.delete(this.#runs.keys().next().value!);
    this.#runs.set(runId, { traceId, sampled, seq: event.seq, run, phase: undefined, steps: new Map() });
    return [{ span: intentSpan, sampled }];
  }

  #step(event: AgentEvent, traced: Traced, runId: string): TraceSpan[] {
    switch (event.kind) {
      case 'run.queued':
        traced.run = having(traced.run, { [A.harness]: event.payload.harness });
        return [];
      case 'run.started':
        traced.run = having(traced.run, { [A.attempt]: event.payload.attempt });
        return [];
      case 'run.phase':
        return phase(event, traced);
      case 'tool.called':
        return begin(traced, event.payload.call_id, toolSpan(event, traced));
      case 'model.called':
        return begin(traced, event.payload.call_id, modelSpan(event, traced));
      case 'approval.requested':
        return begin(traced, event.payload.approval_id, approvalSpan(event, traced));
      case 'tool.returned':
        return end(traced, event.payload.call_id, event.ts, event.payload, {});
      case 'model.returned':
        return end(traced, event.payload.call_id, event.ts, event.payload, answered(event.payload));
      case 'approval.answered':
        return end(
          traced,
          event.payload.approval_id,
          event.ts,
          { ok: event.payload.decision === 'allow' },
          {
            [A.decision]: event.payload.decision,
          },
        );
      case 'run.finished':
        this.#runs.delete(runId);
        return finished(event, traced);
      default:
        return [];
    }
  }
}

/** Every span of these events, the unfinished ones too, in the order in which they started. */
export function spansOf(events: Iterable<AgentEvent>): TraceSpan[] {
  const fold = new SpanFold();
  const spans: TraceSpan[] = [];
  for (const event of events) spans.push(...fold.feed(event).map(({ span }) => span));
  spans.push(...fold.unfinished());
  const start = ({ start_ns }: TraceSpan) => fromWireTime(start_ns);
  const rank = { intent: 0, run: 1, phase: 2, approval: 3, model: 4, tool: 5, motion: 6 } as const;
  return spans.sort((a, b) => {
    const [x, y] = [start(a), start(b)];
    return x < y ? -1 : x > y ? 1 : rank[a.kind] - rank[b.kind];
  });
}

function phase(event: AgentEvent<'run.phase'>, traced: Traced): TraceSpan[] {
  const before = traced.phase;
  const { phase: name, reason } = event.payload;
  traced.phase = open(traced, event.event_id, event.ts, 'phase', SPAN_NAMES.phase(name), traced.run.span_id, {
    [A.phase]: name,
    [A.reason]: reason,
  });
  return before ? [{ ...before, end_ns: event.ts }] : [];
}

function finished(event: AgentEvent<'run.finished'>, traced: Traced): TraceSpan[] {
  const { status, reason, error } = event.payload;
  const ok = status !== 'failed';
  const left = [...traced.steps.values(), ...(traced.phase ? [traced.phase] : [])];
  const run = having(traced.run, { [A.status]: status, [A.reason]: reason });
  return [
    ...left.map((span) => ({ ...span, end_ns: event.ts })),
    {
      ...run,
      end_ns: event.ts,
      ok,
      error: ok ? '' : (error?.message ?? reason),
      attributes: { ...run.attributes, ...(error ? { [A.errorType]: error.code } : {}) },
    },
  ];
}

function toolSpan({ payload, ts }: AgentEvent<'tool.called'>, traced: Traced): Open {
  const { call_id, tool, effect, origin_id } = payload;
  return open(traced, call_id, ts, 'tool', SPAN_NAMES.tool(tool), parentOf(traced), {
    [A.operation]: OPERATIONS.tool,
    [A.tool]: tool,
    [A.toolCall]: origin_id ?? call_id,
    [A.callId]: call_id,
    [A.effect]: effect,
  });
}

function modelSpan({ payload, ts }: AgentEvent<'model.called'>, traced: Traced): Open {
  const { call_id, model, purpose } = payload;
  return open(traced, call_id, ts, 'model', SPAN_NAMES.model(model), parentOf(traced), {
    [A.operation]: OPERATIONS.model,
    [A.modelAsked]: model,
    [A.purpose]: purpose,
    [A.callId]: call_id,
  });
}

function approvalSpan({ payload, ts }: AgentEvent<'approval.requested'>, traced: Traced): Open {
  const { approval_id, subject, reason } = payload;
  return open(traced, approval_id, ts, 'approval', SPAN_NAMES.approval(subject), parentOf(traced), {
    [A.reason]: reason,
  });
}

function answered(payload: EventPayload<'model.returned'>): TraceSpan['attributes'] {
  const { tokens_in, tokens_out, model, model_id, cached } = payload;
  return {
    [A.tokensIn]: tokens_in,
    [A.tokensOut]: tokens_out,
    ...(model_id || model ? { [A.modelAnswered]: model_id || model! } : {}),
    ...(cached === undefined ? {} : { [A.cached]: cached }),
  };
}

/** A motion as the execution cell saw it: a child of the call that it served. */
function motion({ payload, ts }: AgentEvent<'motion.ended'>): DoneSpan[] {
  const trace = parseTraceparent(payload.traceparent);
  if (!trace) return [];
  const end_ns = fromWireTime(ts);
  const start = end_ns - BigInt(Math.round(payload.duration_ms * 1e6));
  const ok = OK_OUTCOMES.has(payload.outcome);
  const span: TraceSpan = {
    name: SPAN_NAMES.motion(payload.motion),
    kind: 'motion',
    trace_id: trace.traceId,
    span_id: spanIdOf(payload.motion_id),
    parent_id: trace.spanId,
    start_ns: toWireTime(start < 0n ? 0n : start),
    end_ns: ts,
    ok,
    error: ok ? '' : payload.outcome,
    attributes: { [A.outcome]: payload.outcome },
  };
  return [{ span, sampled: trace.sampled }];
}

const OK_OUTCOMES = new Set(['reached', 'stopped', 'preempted']);

function parentOf({ phase: entered, run }: Traced): string {
  return (entered ?? run).span_id;
}

function open(
  traced: Traced,
  id: string,
  ts: string,
  kind: TraceSpan['kind'],
  name: string,
  parent: string,
  attributes: TraceSpan['attributes'],
): Open {
  return {
    name,
    kind,
    trace_id: traced.traceId,
    span_id: spanIdOf(id),
    parent_id: parent,
    start_ns: ts,
    end_ns: undefined,
    ok: true,
    error: '',
    attributes: { [A.runId]: traced.run.attributes[A.runId]!, ...attributes },
  };
}

function begin(traced: Traced, id: string, span: Open): TraceSpan[] {
  // A call that is repeated under its id continues its span.
  if (!traced.steps.has(id) && traced.steps.size < STEPS_MAX) traced.steps.set(id, span);
  return [];
}

function end(
  traced: Traced,
  id: string,
  ts: string,
  {
    ok,
    error,
  }: { readonly ok: boolean; readonly error?: { readonly code: string; readonly message: string } },
  more: TraceSpan['attributes'],
): TraceSpan[] {
  const span = traced.steps.get(id);
  if (!span) return [];
  traced.steps.delete(id);
  const fault = error ? { [A.errorType]: error.code } : {};
  return [
    {
      ...span,
      end_ns: ts,
      ok,
      error: error?.message ?? '',
      attributes: { ...span.attributes, ...more, ...fault },
    },
  ];
}

function having(span: Open, attributes: TraceSpan['attributes']): Open {
  return { ...span, attributes: { ...span.attributes, ...attributes } };
}
