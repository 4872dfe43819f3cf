import { type Static, Type } from 'typebox';
import { Count, closed, Json, Name, Sha256, Text, Uuid } from './common.ts';
import { ErrorBody } from './errors.ts';
import { Intent } from './intent.ts';
import { RunStatus } from './run-state.ts';
import { ClockQuality, WireTime } from './time.ts';

/** The payload of every event kind. Adding a kind is an addition to v1; changing one is v2. */
export const EVENT_PAYLOADS = {
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
  'run.status': Type.Object({ status: RunStatus, previous: RunStatus, reason: Text(512, 'why') }, closed),
  'run.message': Type.Object(
    {
      message_id: Uuid('UUIDv7'),
      kind: Type.Enum(['steer', 'follow_up', 'model', 'compact', 'label']),
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
    },
    closed,
  ),
  'tool.called': Type.Object(
    {
      call_id: Uuid('UUIDv7'),
      tool: Name('tool'),
      args: Json,
      effect: Type.Enum(['read', 'write', 'actuate']),
      replay: Type.Enum(['never', 'safe', 'probe']),
      deadline_ms: Type.Integer({ minimum: 1 }),
      robot_time_ns: Type.Optional(WireTime),
      origin_id: Type.Optional(Text(256, 'id that the model gave the call')),
      traceparent: Type.Optional(Text(64, 'W3C trace context')),
    },
    closed,
  ),
  'tool.returned': Type.Object(
    {
      call_id: Uuid('UUIDv7'),
      tool: Name('tool'),
      ok: Type.Boolean(),
      result: Type.Optional(Json),
      error: Type.Optional(ErrorBody),
      duration_ms: Type.Number({ minimum: 0 }),
      robot_time_ns: Type.Optional(WireTime),
      images: Type.Optional(
        Type.Array(
          Type.Object(
            { mime: Type.Enum(['image/jpeg', 'image/png']), sha256: Sha256, bytes: Count('bytes') },
            closed,
          ),
          { maxItems: 16 },
        ),
      ),
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
            at_ms: Type.Number({ minimum: 0, description: 'milliseconds since the attempt began' }),
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
      state: Type.Enum(['up', 'down', 'sleeping', 'none_left']),
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
      principal: Name('who wants it'),
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
      by: Text(128, 'who answered; empty: nobody did'),
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
      fallback: Type.Optional(Text(2048, 'what counts when nobody answers')),
      tenant: Name('tenant'),
      principal: Name('who wanted the run'),
      expires_ns: WireTime,
    },
    closed,
  ),
  'question.answered': Type.Object(
    {
      question_id: Uuid('UUIDv7'),
      outcome: Type.Enum(['answered', 'expired', 'withdrawn']),
      answer: Type.Optional(Text(2048, 'what was said, or the fallback')),
      by: Text(128, 'who answered; empty: nobody did'),
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
  'extension.state': Type.Object(
    {
      app: Name('application'),
      extension: Text(256, 'file, relative to the folder of the application'),
      state: Type.Enum(['loaded', 'failed', 'isolated', 'unloaded']),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  // The life of a cell.
  'cell.started': Type.Object(
    {
      pid: Count('process'),
      attempt: Count('restarts since the daemon started'),
      reason: Text(512, 'start, crash, silence, stall'),
      version: Text(64, 'software version'),
    },
    closed,
  ),
  'cell.stopped': Type.Object({ reason: Text(512, 'why') }, closed),
  'cell.degraded': Type.Object({ error: ErrorBody }, closed),
  'cell.recovered': Type.Object({ subject: Text(256, 'what works again') }, closed),
  'clock.quality': Type.Object(
    {
      clock: ClockQuality,
      subject: Text(256, 'host, topic or source'),
      reason: Type.Optional(Text(512, 'what changed')),
      stamps: Type.Optional(
        Type.Object(
          {
            samples: Count('samples looked at'),
            median_ms: Type.Number({ description: 'received minus stamp, milliseconds' }),
            spread_ms: Type.Number({ description: 'between the 10th and the 90th percentile, milliseconds' }),
          },
          closed,
        ),
      ),
      jump_ms: Type.Optional(
        Type.Number({ description: 'the clock stepped by this much; negative: backwards' }),
      ),
    },
    closed,
  ),
  // Robot data.
  'segment.opened': Type.Object(
    { bag: Name('recording'), path: Text(1024, 'relative to the data directory') },
    closed,
  ),
  'segment.sealed': Type.Object(
    {
      bag: Name('recording'),
      path: Text(1024, 'relative to the data directory'),
      sha256: Sha256,
      bytes: Count('bytes'),
      messages: Count('messages'),
      start_ns: WireTime,
      end_ns: WireTime,
      topics: Type.Record(Type.String({ maxLength: 256 }), Count('messages')),
      repaired: Type.Boolean({ description: 'closed by the repair at start after a crash' }),
    },
    closed,
  ),
  'losses.recorded': Type.Object(
    {
      bag: Type.Optional(Name('recording; absent for a route')),
      segment: Type.Optional(Text(1024, 'path of the segment, relative to the data directory')),
      hop: Type.Optional(Text(256, 'where it was counted: route:<name>; absent: the recorder')),
      topics: Type.Array(
        Type.Object(
          {
            topic: Text(256, 'topic'),
            received: Count('messages'),
            forwarded: Type.Optional(Count('messages handed on, by a route')),
            written: Count('messages'),
            dropped: Type.Record(Type.String({ maxLength: 64 }), Count('messages by reason')),
          },
          closed,
        ),
        { maxItems: 4096 },
      ),
    },
    closed,
  ),
  'segment.evicted': Type.Object(
    {
      bag: Name('recording'),
      path: Text(1024, 'relative to the data directory; the file is gone'),
      bytes: Count('bytes'),
      messages: Count('messages it held'),
      reason: Type.Enum(['ring', 'quota', 'discarded']),
      /** What the ledger told as written and nobody has any more: not in a clip, not at central. */
      topics: Type.Record(Type.String({ maxLength: 256 }), Count('messages')),
    },
    closed,
  ),
  'clip.requested': Type.Object(
    {
      clip_id: Uuid('UUIDv7'),
      bag: Name('recording that the clip will be'),
      trigger: Name('who asked: api, ros, agent, or the name of a condition'),
      reason: Text(512, 'why'),
      trigger_ns: WireTime,
      pre_ms: Count('milliseconds'),
      post_ms: Count('milliseconds'),
    },
    closed,
  ),
  'clip.recorded': Type.Object(
    {
      clip_id: Uuid('UUIDv7'),
      bag: Name('recording that is the clip'),
      trigger: Name('who asked'),
      reason: Text(512, 'why'),
      trigger_ns: WireTime,
      start_ns: WireTime,
      end_ns: WireTime,
      messages: Count('messages'),
      bytes: Count('bytes'),
    },
    closed,
  ),
  'episode.started': Type.Object(
    { episode_id: Uuid('UUIDv7'), bag: Name('recording'), label: Text(256, 'label') },
    closed,
  ),
  'episode.ended': Type.Object(
    {
      episode_id: Uuid('UUIDv7'),
      bag: Name('recording'),
      label: Text(256, 'label'),
      success: Type.Optional(Type.Boolean()),
      start_ns: WireTime,
      end_ns: WireTime,
      messages: Count('messages'),
      bytes: Count('bytes'),
      segments: Count('MCAP files'),
    },
    closed,
  ),
  'episode.discarded': Type.Object(
    { episode_id: Uuid('UUIDv7'), bag: Name('recording'), reason: Text(512, 'why') },
    closed,
  ),
  'episode.relabelled': Type.Object(
    {
      episode_id: Uuid('UUIDv7'),
      bag: Name('recording'),
      label: Text(256, 'label'),
      success: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
  'route.state': Type.Object(
    {
      route: Text(128, 'name in the configuration'),
      state: Type.Enum(['up', 'silent', 'diverged', 'rebuilt', 'idle', 'down']),
      reason: Text(512, 'why; empty when it is up'),
    },
    closed,
  ),
  // Actuation.
  'lease.granted': Type.Object({ holder: Name('holder'), ttl_ms: Count('milliseconds') }, closed),
  'lease.released': Type.Object(
    { holder: Name('holder'), reason: Text(256, 'returned, expired, taken') },
    closed,
  ),
  /** A motion of the robot or its arm is over, as the cell saw it that carried it out. */
  'motion.ended': Type.Object(
    {
      motion_id: Uuid('UUIDv7'),
      motion: Type.Enum(['navigate', 'maneuver', 'follow', 'gripper']),
      outcome: Text(64, 'outcome, or the code of the error'),
      duration_ms: Type.Number({ minimum: 0, description: 'wall time' }),
      traceparent: Type.Optional(Text(64, 'W3C trace context of who asked')),
    },
    closed,
  ),
  'safety.stopped': Type.Object({ reason: Text(512, 'why'), source: Name('who stopped it') }, closed),
  'command.refused': Type.Object({ error: ErrorBody, source: Name('who asked') }, closed),
  // Central.
  'link.receipt': Type.Object(
    {
      lane: Name('lane'),
      epoch: Name('epoch'),
      seq: Count('watermark'),
      sha256: Sha256,
      receipt: Text(4096, 'signed by central'),
    },
    closed,
  ),
  'link.state': Type.Object(
    { state: Type.Enum(['connected', 'disconnected']), reason: Text(512, 'why') },
    closed,
  ),
} as const;

export type EventKind = keyof typeof EVENT_PAYLOADS;
export type EventPayload<K extends EventKind> = Static<(typeof EVENT_PAYLOADS)[K]>;
export const EVENT_KINDS = Object.keys(EVENT_PAYLOADS) as EventKind[];
