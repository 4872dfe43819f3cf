import { Type } from 'typebox';
import { By, Count, closed, Json, Name, Sha256, StopConfirmed, Text, Uuid } from './common.ts';
import { ErrorBody } from './errors.ts';
import { Intent } from './intent.ts';
import { LIMITS } from './limits.ts';
import { RunStatus } from './run-state.ts';
import { WireTime } from './time.ts';
import { ToolCall } from './tool-call.ts';

/** The two events of a call hold what the call is, field by field, and what is known of it besides. */
const { call_id, tool, args, effect, replay, deadline_ms, result, error } = ToolCall.properties;

/** Payloads of what the runtime cell writes: intents, runs, tools, models, people. Part of `EVENT_PAYLOADS`. */
export const RUN_PAYLOADS = {
  // Intents and runs, written by the runtime cell in the order drawn in contract/README.md.
  'intent.accepted': Type.Object({ intent: Intent, app: Name('application') }, closed),
  'intent.refused': Type.Object({ type: Text(256, 'intent type as sent'), error: ErrorBody }, closed),
  'run.queued': Type.Object(
    {
      intent_id: Uuid('UUIDv7'),
      app: Name('application'),
      harness: Type.Enum(['pi', 'flow', 'remote']),
      parent_run_id: Type.Optional(Uuid('UUIDv7 of the run that asked for this one')),
      forked_from: Type.Optional(
        Type.Object({ run_id: Uuid('UUIDv7'), entry_id: Text(128, 'entry of its session') }, closed),
      ),
      /** The package of its application in the version that it starts with, and keeps. */
      package: Type.Optional(Type.Object({ version: Text(64, 'semantic version'), digest: Sha256 }, closed)),
      /** A part of a flow that runs beside others: it starts in this state, with these facts. */
      branch: Type.Optional(
        Type.Object(
          {
            of: Name('state of the run that asked for it'),
            name: Name('branch'),
            start: Name('state that it starts in'),
            facts: Json,
          },
          closed,
        ),
      ),
      /** A round of an outer loop, and what was wrong with the round before. */
      round: Type.Optional(
        Type.Object(
          {
            number: Type.Integer({ minimum: 1, maximum: 10 }),
            findings: Type.Array(Text(400, 'what was wrong'), { maxItems: 16 }),
          },
          closed,
        ),
      ),
      concurrency_key: Type.Optional(Text(256, 'runs with the same key never run at the same time')),
      /** What a run that another one asked for may spend; its time is the deadline of its intent. */
      budget: Type.Optional(
        Type.Object(
          {
            turns: Type.Optional(Count('calls of models')),
            tokens: Type.Optional(Count('tokens in and out')),
          },
          closed,
        ),
      ),
    },
    closed,
  ),
  'run.started': Type.Object(
    { attempt: Type.Integer({ minimum: 1 }), resumed_from: Type.Optional(Text(128, 'state entered again')) },
    closed,
  ),
  'run.phase': Type.Object(
    {
      phase: Name('state of the graph'),
      previous: Type.Optional(Name('state before')),
      reason: Text(512, 'why'),
      facts: Type.Optional(Json),
      robot_time_ns: Type.Optional(WireTime),
    },
    closed,
  ),
  'run.status': Type.Object(
    {
      status: RunStatus,
      previous: RunStatus,
      reason: Text(512, 'why'),
      by: By,
      stop_confirmed: StopConfirmed,
    },
    closed,
  ),
  'run.message': Type.Object(
    {
      message_id: Uuid('UUIDv7'),
      kind: Type.Enum(['steer', 'follow_up', 'model', 'compact', 'label', 'thinking', 'stop', 'close']),
      body: Json,
      principal: Name('who said it'),
      origin: Text(64, 'where it came from'),
    },
    closed,
  ),
  'session.entry': Type.Object(
    {
      session_id: Text(128, 'session: the id of its run'),
      entry_id: Text(128, 'entry'),
      parent_id: Type.Optional(Text(128, 'entry before; absent: the root')),
      entry: Json,
    },
    closed,
  ),
  'run.finished': Type.Object(
    {
      status: Type.Enum(['succeeded', 'failed', 'cancelled']),
      reason: Text(512, 'why'),
      score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
      summary: Json,
      error: Type.Optional(ErrorBody),
      by: By,
      stop_confirmed: StopConfirmed,
    },
    closed,
  ),
  'policy.decided': Type.Object(
    {
      hook: Name('policy hook'),
      point: Type.Enum(['intent', 'tool', 'model', 'egress', 'approval']),
      subject: Text(256, 'what was judged'),
      decision: Type.Enum(['allow', 'deny', 'needs_approval']),
      reason: Text(512, 'why'),
      duration_us: Count('microseconds'),
      policy_sha256: Type.Optional(Sha256),
      /** What was judged, whole: enough to judge it again under another policy. */
      request: Type.Optional(Json),
      /** Ids of the policies that decided. */
      determining: Type.Optional(Type.Array(Text(256, 'policy id'), { maxItems: 64 })),
      app: Type.Optional(Name('application whose package decided; absent: the site')),
    },
    closed,
  ),
  'tool.called': Type.Object(
    {
      ...{ call_id, tool, args, effect, replay, deadline_ms },
      robot_time_ns: Type.Optional(WireTime),
      origin_id: Type.Optional(Text(256, 'id that the model gave the call')),
      traceparent: Type.Optional(Text(64, 'W3C trace context')),
    },
    closed,
  ),
  'tool.returned': Type.Object(
    {
      ...{ call_id, tool },
      ok: Type.Boolean(),
      ...{ result, error },
      duration_ms: Type.Number({ minimum: 0 }),
      robot_time_ns: Type.Optional(WireTime),
      images: Type.Optional(
        Type.Array(
          Type.Object(
            { mime: Type.Enum(['image/jpeg', 'image/png']), sha256: Sha256, bytes: Count('bytes') },
            closed,
          ),
          { maxItems: LIMITS.TOOL_RESULT_IMAGES_MAX },
        ),
      ),
    },
    closed,
  ),
  /**
   * The tools of an attempt, in the order in which its harness was given them. Written with the first event of the
   * attempt; an attempt without tools has none.
   */
  'tools.offered': Type.Object(
    {
      names: Type.Array(Text(128, 'tool'), { maxItems: LIMITS.RUN_TOOLS_MAX }),
      /** Descriptions, schemas and replay classes, in the same order, as a blob. */
      definitions_sha256: Type.Optional(Sha256),
    },
    closed,
  ),
  /**
   * What a run saw of its robot: enough to decide the same again. Written with the first event that may depend on
   * it. A state holds what changed since the read before, a map only the cells that did; see docs/replay.md.
   */
  'robot.observed': Type.Object(
    {
      reads: Type.Array(
        Type.Object(
          {
            what: Type.Enum(['state', 'map']),
            at_ms: Type.Number({ minimum: 0, description: 'milliseconds since the attempt started' }),
            value: Type.Optional(Json),
            error: Type.Optional(ErrorBody),
          },
          closed,
        ),
        { maxItems: 256 },
      ),
    },
    closed,
  ),
  'model.called': Type.Object(
    {
      call_id: Uuid('UUIDv7'),
      model: Text(256, 'model'),
      purpose: Text(256, 'why'),
      parameters: Json,
      prompt_sha256: Sha256,
      traceparent: Type.Optional(Text(64, 'W3C trace context')),
      /** Of a call that belongs to no run. */
      tenant: Type.Optional(Text(128, 'who pays')),
    },
    closed,
  ),
  'model.returned': Type.Object(
    {
      call_id: Uuid('UUIDv7'),
      ok: Type.Boolean(),
      tokens_in: Count('tokens'),
      tokens_out: Count('tokens'),
      duration_ms: Type.Number({ minimum: 0 }),
      error: Type.Optional(ErrorBody),
      model: Type.Optional(Text(256, 'model that answered, after fallbacks')),
      model_id: Type.Optional(Text(256, 'as its server names it')),
      cached: Type.Optional(Type.Boolean()),
      first_token_ms: Type.Optional(Type.Number({ minimum: 0 })),
      /** Text, tool calls and stop reason: enough to answer the same call again. A large one is a blob. */
      answer: Type.Optional(Json),
      answer_sha256: Type.Optional(Sha256),
      cost_usd: Type.Optional(Type.Number({ minimum: 0, description: 'US dollars, as configured' })),
      tenant: Type.Optional(Text(128, 'who pays, of a call that belongs to no run')),
      /** Models that were asked before this one and gave no answer, in order. */
      attempts: Type.Optional(
        Type.Array(
          Type.Object(
            {
              model: Text(256, 'model'),
              code: Text(64, 'code of the error'),
              reason: Text(512, 'why it gave no answer'),
              duration_ms: Type.Number({ minimum: 0 }),
            },
            closed,
          ),
          { maxItems: 64 },
        ),
      ),
    },
    closed,
  ),
  'model.state': Type.Object(
    {
      model: Text(256, 'name in the configuration'),
      state: Type.Enum(['up', 'failing', 'down', 'sleeping', 'none_left']),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  // People, schedules, extensions.
  'approval.requested': Type.Object(
    {
      approval_id: Uuid('UUIDv7'),
      point: Type.Enum(['intent', 'tool', 'model', 'egress']),
      subject: Text(256, 'what has to be approved'),
      reason: Text(512, 'why it has to be'),
      facts: Json,
      tenant: Name('tenant'),
      principal: Name('the caller of the run'),
      expires_ns: WireTime,
      /** Id that the tool call will have: a call with this id in the log has used the answer up. */
      call_id: Type.Optional(Uuid('UUIDv7')),
      /** Roles of which one is needed to answer; absent: as a policy says. */
      roles: Type.Optional(Type.Array(Name('role'), { maxItems: 32 })),
    },
    closed,
  ),
  'approval.answered': Type.Object(
    {
      approval_id: Uuid('UUIDv7'),
      decision: Type.Enum(['allow', 'deny', 'expired']),
      by: Text(128, 'who answered; empty: no answer came'),
      origin: Text(64, 'where the answer came from'),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  'question.asked': Type.Object(
    {
      question_id: Uuid('UUIDv7: the id of the call that asks'),
      text: Text(2048, 'what a person is asked'),
      choices: Type.Optional(Type.Array(Text(256, 'answer to choose'), { maxItems: 16 })),
      fallback: Type.Optional(Text(2048, 'what counts when no answer comes')),
      tenant: Name('tenant'),
      principal: Name('the caller of the run'),
      expires_ns: WireTime,
      approval: Type.Optional(
        Type.Literal(true, { description: 'policies judge who answers, as for an approval' }),
      ),
    },
    closed,
  ),
  'question.answered': Type.Object(
    {
      question_id: Uuid('UUIDv7'),
      outcome: Type.Enum(['answered', 'expired', 'withdrawn']),
      answer: Type.Optional(Text(2048, 'what was said, or the fallback')),
      by: Text(128, 'who answered; empty: no answer came'),
      origin: Text(64, 'where the answer came from'),
    },
    closed,
  ),
  'grant.state': Type.Object(
    {
      grant_id: Name('grant'),
      principal: Name('who holds it'),
      state: Type.Enum(['issued', 'renewed', 'expired', 'revoked']),
      expires_ns: WireTime,
      grants: Json,
      reason: Text(512, 'why'),
    },
    closed,
  ),
  /** A configuration that came over the API: `taken`, then `kept` or `put_back`. It has no values: some are secrets. */
  'config.trial': Type.Object(
    {
      state: Type.Enum(['taken', 'kept', 'put_back']),
      by: Name('principal of it'),
      keys: Type.Array(Text(128, 'key that differs'), { maxItems: 50 }),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  'schedule.fired': Type.Object(
    {
      schedule: Name('name in the configuration'),
      due_ns: WireTime,
      /** `known`: the schedule is new or was changed; only times after this one count. */
      action: Type.Enum(['known', 'run', 'skipped', 'refused']),
      missed: Count('times that passed unseen before this one'),
      reason: Text(512, 'why'),
      spec: Type.Optional(Text(512, 'cron expression and time zone')),
    },
    closed,
  ),
  /** A signed message of another system, and what it led to. Its intent is the next of `webhook/NAME` in the log. */
  'webhook.received': Type.Object(
    {
      webhook: Name('APP.NAME'),
      message_id: Text(128, 'as its sender names it'),
      action: Type.Enum(['routed', 'refused']),
      by: Type.Optional(Type.Enum(['rule', 'model'])),
      rule: Type.Optional(Type.Integer({ minimum: 1, description: 'its number in app.toml' })),
      model: Type.Optional(Text(256, 'model that chose the intent')),
      intent: Type.Optional(Text(128, 'type of the intent')),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  /** An application package: what became of it when its folder was read. */
  'app.state': Type.Object(
    {
      app: Name('application'),
      version: Text(64, 'semantic version; empty where it could not be read'),
      digest: Type.Optional(Sha256),
      state: Type.Enum(['loaded', 'bad', 'removed']),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  'extension.state': Type.Object(
    {
      app: Name('application'),
      extension: Text(256, 'file, relative to the folder of the application'),
      state: Type.Enum(['loaded', 'failed', 'isolated', 'unloaded']),
      reason: Text(512, 'why'),
    },
    closed,
  ),
} as const;
