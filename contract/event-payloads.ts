import { type Static, Type } from 'typebox';
import { CELL_NAMES } from './cell-name.ts';
import { By, Count, closed, Name, Sha256, Text, Uuid } from './common.ts';
import { CONTROL_PAYLOADS } from './control-payloads.ts';
import { ErrorBody } from './errors.ts';
import { PLAN_PAYLOADS } from './plan-payloads.ts';
import { RECALL_KINDS, RECALL_LIMITS } from './recall-limits.ts';
import { RUN_PAYLOADS } from './run-payloads.ts';
import { ClockQuality, WireTime } from './time.ts';

/** The payload of every event kind. Adding a kind is an addition to v1; changing one is v2. */
export const EVENT_PAYLOADS = {
  ...RUN_PAYLOADS,
  ...CONTROL_PAYLOADS,
  ...PLAN_PAYLOADS,
  // The life of a cell.
  'cell.started': Type.Object(
    {
      pid: Count('process'),
      attempt: Count('restarts since the daemon started'),
      reason: Text(512, 'start, crash, silence, stall'),
      version: Text(64, 'software version'),
      sim: Type.Optional(
        Type.Object(
          {
            seed: Count('of maze and noise'),
            width: Count('maze cells along x'),
            height: Count('maze cells along y'),
            pace: Text(16, 'lockstep or realtime'),
            speed: Text(16, 'times real time, or max'),
          },
          { ...closed, description: 'the simulation that is the robot; absent: a real one, or none' },
        ),
      ),
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
      /** Samples that the ledger reported as written and that are gone now: neither in a clip nor at central. */
      topics: Type.Record(Type.String({ maxLength: 256 }), Count('messages')),
    },
    closed,
  ),
  /** Old events of a log are gone, behind a signed checkpoint. Written by the memory cell. */
  'log.cut': Type.Object(
    {
      log: Type.Enum([...CELL_NAMES], { description: 'cell whose log it is' }),
      from: Count('first event that is gone'),
      through: Count('last event that is gone'),
      hash: Sha256,
      event_ts: WireTime,
      key_id: Text(16, 'start of the SHA-256 of the key that signed'),
      reason: Text(512, 'why'),
      bytes: Count('bytes that the log takes less'),
    },
    closed,
  ),
  /** Texts that an agent or a person was given, and what was asked: enough to ask the same again. Written before they are given. */
  'recall.answered': Type.Object(
    {
      recall_id: Uuid('UUIDv7'),
      question: Text(RECALL_LIMITS.QUESTION_CHARS_MAX, 'as it was asked; empty: the newest texts'),
      kinds: Type.Array(Type.Enum([...RECALL_KINDS]), { maxItems: RECALL_KINDS.length }),
      limit: Count('texts that were asked for at most'),
      until_us: Count('microseconds since the Unix epoch: the newest text that was there'),
      since_us: Type.Optional(Count('microseconds since the Unix epoch: older texts were not wanted')),
      tenant: Name('the caller'),
      principal: Name('the caller'),
      all: Type.Boolean({ description: 'texts of every tenant were searched' }),
      how: Type.Enum(['words', 'meaning', 'newest']),
      why: Text(512, 'why not by meaning; empty: by meaning, or nothing was asked'),
      model: Text(128, 'model of the vectors; empty: none'),
      model_sha256: Text(64, 'its digest; empty: none'),
      waiting: Count('texts that had no vector yet'),
      unread: Count('events that were not read yet'),
      notes: Type.Array(Text(512, 'what was missing'), { maxItems: 16 }),
      texts: Type.Array(
        Type.Object(
          {
            id: Text(1024, 'kind, colon, and where it comes from'),
            kind: Type.Enum([...RECALL_KINDS]),
            sha256: Sha256,
            score: Type.Number(),
            at: WireTime,
            source: Text(1024, 'run, recording or file'),
            text: Text(RECALL_LIMITS.TEXT_CHARS_MAX, 'as it was given'),
          },
          closed,
        ),
        { maxItems: RECALL_LIMITS.TEXTS_MAX },
      ),
      sha256: Sha256,
    },
    closed,
  ),
  'blobs.evicted': Type.Object(
    {
      blobs: Count('files that are gone; the events that name them stay true'),
      bytes: Count('their bytes'),
      left_bytes: Count('bytes of the blobs that are left'),
    },
    closed,
  ),
  'clip.requested': Type.Object(
    {
      clip_id: Uuid('UUIDv7'),
      bag: Name('recording that the clip will be'),
      trigger: Name('the caller: api, ros, agent, or the name of a condition'),
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
      trigger: Name('the caller'),
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
  /** What a person wrote about a time of a recording; the last event of an id counts. */
  'recording.annotated': Type.Object(
    {
      annotation_id: Uuid('UUIDv7'),
      bag: Name('recording'),
      start_ns: WireTime,
      end_ns: WireTime,
      label: Text(64, 'short name, the same for things that belong together'),
      text: Text(2048, 'what was seen'),
      removed: Type.Boolean({ description: 'it was taken back' }),
      by: Text(128, 'who'),
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
  'lease.granted': Type.Object(
    {
      holder: Name('holder'),
      ttl_ms: Count('milliseconds'),
      lease_id: Type.Optional(Count('of this start of the cell')),
      role: Type.Optional(Name('policy, agent, autonomy, central or teleoperation')),
    },
    closed,
  ),
  'lease.released': Type.Object(
    { holder: Name('holder'), reason: Text(256, 'returned, expired, taken') },
    closed,
  ),
  /** A motion of the robot or its arm ended, as seen by the cell that carried it out. */
  'motion.ended': Type.Object(
    {
      motion_id: Uuid('UUIDv7'),
      motion: Type.Enum(['navigate', 'maneuver', 'follow', 'gripper']),
      outcome: Text(64, 'outcome, or the code of the error'),
      duration_ms: Type.Number({ minimum: 0, description: 'wall time' }),
      reason: Type.Optional(Text(512, 'why it was cancelled or stopped')),
      by: By,
      traceparent: Type.Optional(Text(64, 'W3C trace context of the caller')),
    },
    closed,
  ),
  'safety.stopped': Type.Object({ reason: Text(512, 'why'), source: Name('who stopped it'), by: By }, closed),
  'estop.engaged': Type.Object(
    {
      source: Name('api, cli, console, zenoh, ros, file, agent'),
      by: Text(128, 'who'),
      reason: Text(512, 'why'),
    },
    closed,
  ),
  'estop.released': Type.Object(
    { source: Name('api, cli or console'), by: Text(128, 'who'), reason: Text(512, 'why') },
    closed,
  ),
  /** Summary of what the joint gate changed: at most one event per limit, joint and second. */
  'gate.limited': Type.Object(
    {
      source: Name('controller or teleoperation'),
      verdict: Type.Enum(['limited', 'refused']),
      reason: Text(128, 'which limit of which joint'),
      count: Count('control steps'),
      asked: Type.Array(Type.Number(), {
        maxItems: 64,
        description: 'of the last of them; not a number is 0',
      }),
      applied: Type.Array(Type.Number(), { maxItems: 64, description: 'of the last of them' }),
    },
    closed,
  ),
  'command.refused': Type.Object({ error: ErrorBody, source: Name('the caller') }, closed),
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
