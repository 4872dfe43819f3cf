import { Type } from 'typebox';
import type { ErrorCode } from '../edge-error.ts';
import { PolicyContext } from '../intent.ts';
import { Plan, PlanAsk } from '../plan.ts';
import { RUN_STATUSES } from '../run-status.ts';
import {
  ask,
  bytes,
  count,
  done,
  flag,
  list,
  maybe,
  measured,
  nothing,
  number,
  oneOf,
  reply,
  text,
  unchecked,
  values,
} from './kit.ts';

const tenant = text;
const principal = text;

/** The request is checked by the runtime. */
export const IntentSubmit = ask({ request: unchecked, context: PolicyContext });

/** These runs, or the newest `limit` of all. Unknown ones are left out of the answer. */
export const RunBriefsRequest = ask({
  runIds: Type.Optional(list(text)),
  limit: Type.Optional(number),
  /** Only runs of this tenant; absent: of all. */
  tenant: Type.Optional(tenant),
  /** The run that this key opened, of a principal or of any caller from there, if it is among the newest. */
  key: Type.Optional(
    Type.Union([
      reply({ tenant, idempotency_key: text, principal }),
      reply({ tenant, idempotency_key: text, origin: PolicyContext.properties.origin }),
    ]),
  ),
});

/** With `of`, only a run that this principal opened. */
export const RunCancel = ask({
  runId: text,
  reason: text,
  of: Type.Optional(reply({ tenant, principal })),
});

export const CallFault = reply({
  code: Type.Unsafe<ErrorCode>(text),
  operation: text,
  subject: text,
  message: text,
  hint: text,
  retryable: flag,
});

/** A run as shown to other cells and their clients; names as on the wire. */
export const RunBrief = reply({
  run_id: text,
  intent_id: text,
  type: text,
  status: oneOf(RUN_STATUSES),
  phase: Type.Optional(text),
  reason: text,
  score: Type.Optional(measured),
  summary: Type.Optional(values),
  error: Type.Optional(CallFault),
  /** W3C trace context of the run, for a client that continues its trace. */
  traceparent: Type.Optional(text),
  /** Only in the answer of `intent.submit`: true if the idempotency key had already opened this run. */
  duplicate: Type.Optional(flag),
});

export const ApprovalQuery = ask({ all: Type.Optional(flag) });
/** Rejects as `ApprovalApi.answer` does. */
export const ApprovalAnswer = ask({
  approvalId: text,
  decision: oneOf(['allow', 'deny']),
  who: PolicyContext,
  reason: text,
});

/**
 * A question to a person. Durable: after a restart it still waits, with the time that is left. Times are wire times.
 */
export const Approval = reply({
  approval_id: text,
  run_id: maybe(text),
  point: oneOf(['intent', 'tool', 'model', 'egress', 'approval']),
  subject: text,
  reason: text,
  facts: values,
  tenant,
  principal,
  asked_ts: text,
  /** Without an answer by then: denied. */
  expires_ts: text,
  state: oneOf(['waiting', 'allowed', 'denied', 'expired']),
  by: maybe(text),
  /** Roles of which the answering person needs one; empty: policies decide. */
  roles: list(text),
});

/** A lease of rights, as central or a person signed it. Times are wire times. */
const grant = {
  grant_id: text,
  tenant,
  principal,
  roles: list(text),
  /** Robots for which it is meant; empty: any. */
  robots: list(text),
  issued_ts: text,
  expires_ts: text,
};
export const Grant = reply(grant);
/** Of the parts of a grant. */
const GrantName = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$' });
const GrantTime = Type.String({ pattern: '^[1-9][0-9]{0,18}$' });
/** A grant as it is signed, and by whom; the runtime checks the signature. */
export const SignedGrant = ask({
  grant: ask({
    ...{ grant_id: GrantName, tenant: GrantName, principal: GrantName },
    roles: Type.Array(GrantName, { maxItems: 32 }),
    robots: Type.Array(GrantName, { maxItems: 64 }),
    ...{ issued_ts: GrantTime, expires_ts: GrantTime },
  }),
  key_id: Type.String({ maxLength: 128 }),
  signature: Type.String({ maxLength: 128 }),
});
export const GrantView = reply({
  ...grant,
  state: oneOf(['live', 'expired', 'revoked']),
  /** Remaining milliseconds; 0 when it has expired. */
  left_ms: measured,
});

/**
 * The plan is made and not carried out, by `deadlineMs`. Rejects with
 * `schema.invalid`, `model.failed`, `model.unavailable`, `deadline.exceeded`, `policy.denied`, `quota.exceeded`,
 * `run.limit`, `cell.unavailable`.
 */
export const InferPlan = ask({
  ask: ask(PlanAsk.properties),
  context: PolicyContext,
  deadlineMs: measured,
  /** Name under which `infer.plan_cancel` ends it; it rejects with `run.cancelled` then. */
  callId: Type.Optional(text),
  traceparent: Type.Optional(text),
});
export const PlanReply = reply({
  run_id: text,
  plan: Plan,
  model: text,
  model_id: text,
  /** Steps that were not needed, and why. */
  dropped: list(reply({ subgoal: text, reason: text })),
});

/** One call that a model asked for. `argumentsText` is the text as received: it may not be JSON. */
export const ModelToolCall = reply({ id: text, name: text, argumentsText: text });
export const ToolImage = reply({ mime: oneOf(['image/jpeg', 'image/png']), data: bytes });
/** An image by its handle: the blob with this SHA-256, in the blob store of the host, and its size. */
export const StoredImage = reply({ mime: oneOf(['image/jpeg', 'image/png']), sha256: text, bytes: count });
/** One message of a conversation with a model. */
export const ModelMessage = reply({
  role: oneOf(['system', 'user', 'assistant', 'tool']),
  text,
  images: Type.Optional(list(ToolImage)),
  /** For an assistant: the tool calls it asked for. */
  toolCalls: Type.Optional(list(ModelToolCall)),
  /** For a tool: the call it answers. */
  callId: Type.Optional(text),
});
export const ModelTool = reply({
  name: text,
  description: text,
  /** JSON Schema of an object. */
  parameters: values,
});
/** What a call needs of a model; a router chooses by it. Absent: no requirement. */
export const ModelNeed = reply({
  /** Names to try, in this order, before any other that fits; with `only` no other. */
  prefer: Type.Optional(list(text)),
  only: Type.Optional(flag),
  vision: Type.Optional(flag),
  tools: Type.Optional(flag),
  /** Tokens of context. */
  context: Type.Optional(number),
  latency: Type.Optional(oneOf(['low', 'any'])),
  /** US dollars per million output tokens, at most. */
  costMax: Type.Optional(number),
});

/** One call of a model from outside of any run, in the types of the port. */
export const ChatRequest = reply({
  messages: list(ModelMessage),
  tools: Type.Optional(list(ModelTool)),
  toolChoice: Type.Optional(Type.Union([oneOf(['auto', 'none', 'required']), reply({ name: text })])),
  answerSchema: Type.Optional(values),
  maxTokens: number,
  temperature: number,
  seed: Type.Optional(number),
  deadlineMs: number,
  need: Type.Optional(ModelNeed),
});
/**
 * Starts a call of a model within the rights and quotas of `context`. Fairness is among `caller`s. The answer is `{}`;
 * its result is fetched by `infer.chat_next`. Rejects with `schema.invalid`, `cell.overloaded`, `model.unavailable`.
 */
export const ChatOpen = ask({
  callId: text,
  caller: text,
  context: PolicyContext,
  request: ChatRequest,
  /** Name of a configured model; `auto`: any that fits. */
  model: text,
});
/** Settles with what has come, or with nothing after `waitMs`. */
export const ChatNext = ask({ callId: text, waitMs: number });
/** How it ended: by the answer, or by the error. */
export const ChatEnd = Type.Union([
  reply({
    ok: Type.Literal(true),
    text,
    toolCalls: list(ModelToolCall),
    stopReason: oneOf(['stop', 'length', 'tool_calls']),
    tokensIn: measured,
    tokensOut: measured,
    model: text,
    modelId: text,
  }),
  reply({ ok: Type.Literal(false), error: CallFault }),
]);
/** What comes while a model answers. A tool call is delivered once, whole, when its arguments are complete. */
export const ModelDelta = Type.Union([
  reply({ kind: oneOf(['text', 'thinking']), text }),
  reply({ kind: Type.Literal('tool_call'), call: ModelToolCall }),
]);
/** In order. With `end` nothing follows and the call is forgotten. */
export const ChatNextReply = reply({ deltas: list(ModelDelta), end: Type.Optional(ChatEnd) });
/** For calls of models and of plans. An unknown call is no error. */
export const ChatCancel = ask({ callId: text, reason: text });

export const RUN_BODIES = {
  'intent.submit': { ask: IntentSubmit, reply: RunBrief },
  'run.briefs': { ask: RunBriefsRequest, reply: list(RunBrief) },
  'run.cancel': { ask: RunCancel, reply: RunBrief },
  'approval.list': { ask: ApprovalQuery, reply: list(Approval) },
  'approval.answer': { ask: ApprovalAnswer, reply: Approval },
  'grant.install': { ask: SignedGrant, reply: GrantView },
  'infer.plan': { ask: InferPlan, reply: PlanReply },
  'infer.plan_cancel': { ask: ChatCancel, reply: done },
  'infer.chat_open': { ask: ChatOpen, reply: nothing },
  'infer.chat_next': { ask: ChatNext, reply: ChatNextReply },
  'infer.chat_cancel': { ask: ChatCancel, reply: done },
} as const;
