import {
  CELL_NAMES,
  ErrorBody,
  EVENT_DOMAINS,
  EVENT_KINDS,
  Intent,
  LIMITS,
  RunState,
  RunStatus,
  UUID_PATTERN,
  WireTime,
} from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';
import { QuotaSchema } from './governance-schemas.ts';

/** Shapes of the API that are not in the contract: parameters and answers. */

const closed = { additionalProperties: false } as const;
const RunId = Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7 of a run' });

export const RunParams = Type.Object({ id: RunId }, closed);

export const RunsQuery = Type.Object(
  {
    status: Type.Optional(RunStatus),
    app: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'application' })),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 1000, description: 'newest first, at most this many' }),
    ),
    before: Type.Optional(RunId),
    parent: Type.Optional(RunId),
  },
  closed,
);

const streamQuery = {
  kind: Type.Optional(
    Type.Array(Type.Enum(EVENT_KINDS), { maxItems: EVENT_KINDS.length, description: 'only these kinds' }),
  ),
  domain: Type.Optional(
    Type.Enum([...EVENT_DOMAINS], { description: 'only events about this: `domain` of the lake' }),
  ),
  follow: Type.Optional(
    Type.Boolean({
      description:
        'true (default): server-sent events, without an end; false: up to now, as NDJSON or what Accept asks for',
    }),
  ),
  cursor: Type.Optional(
    Type.String({
      maxLength: 128,
      description: 'id of the last event received; as the header Last-Event-ID',
    }),
  ),
};

export const EventsQuery = Type.Object(
  {
    ...streamQuery,
    run: Type.Optional(RunId),
    since: Type.Optional(
      Type.Enum(['start', 'recent', 'now'], {
        description: `where to start without a cursor; recent: with the last ${LIMITS.STREAM_RECENT} events of each cell, with kinds among the last ${LIMITS.STREAM_RECENT_OF_KIND}`,
      }),
    ),
  },
  closed,
);

export const RunEventsQuery = Type.Object(streamQuery, closed);

export const CancelBody = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 256, description: 'why, for the log' })) },
  closed,
);

export const QueryBody = Type.Object(
  {
    sql: Type.String({ minLength: 1, maxLength: 100_000, description: 'one read-only statement' }),
    limit: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LIMITS.LAKE_ROWS_MAX, description: 'rows at most' }),
    ),
  },
  closed,
);

export const NoQuery = Type.Object({}, closed);

const Row = Type.Object({}, { additionalProperties: true });

export const Health = Type.Object({ status: Type.Literal('ok') }, closed);

export const RunDetailsView = Type.Object(
  {
    run: RunState,
    intent: Intent,
    app: Type.String(),
    app_version: Type.Optional(
      Type.String({ description: 'of a package: the version that it started with' }),
    ),
    app_digest: Type.Optional(Type.String({ description: 'SHA-256 of the files of that version' })),
    phase: Type.Optional(Type.String()),
    queued_ts: WireTime,
    started_ts: Type.Optional(WireTime),
    finished_ts: Type.Optional(WireTime),
    reason: Type.String(),
    summary: Type.Optional(Row),
    error: Type.Optional(ErrorBody),
  },
  { title: 'RunDetails' },
);

export const RunsView = Type.Object({ runs: Type.Array(RunDetailsView) }, closed);

export const SubmittedView = Type.Object(
  { intent: Intent, run: RunState, duplicate: Type.Boolean() },
  closed,
);

const Part = Type.Object(
  {
    available: Type.Boolean(),
    reason: Type.Optional(Type.String({ description: 'why it is not available' })),
  },
  { additionalProperties: true },
);

const Count = Type.Integer({ minimum: 0 });
/** A server of policies for clients of another protocol. */
export const WireSchema = Type.Object(
  {
    wire: Type.String(),
    host: Type.String(),
    port: Count,
    clients: Count,
    questions: Count,
    failures: Count,
    refused: Count,
  },
  closed,
);

export const StatusSchema = Type.Object(
  {
    robot_id: Type.String(),
    version: Type.String(),
    ts: WireTime,
    cells: Type.Array(
      Type.Object({
        name: Type.Enum([...CELL_NAMES]),
        state: Type.String(),
        pid: Type.Optional(Type.Integer()),
        restarts: Type.Integer(),
        reason: Type.String(),
        rss_bytes: Type.Integer(),
        beat_age_ms: Type.Integer({ description: 'since the last heartbeat, as last reported' }),
        beat_gap_max_ms: Type.Integer({ description: 'longest silence between heartbeats since it is up' }),
      }),
    ),
    log_seq: Type.Record(
      Type.String(),
      Type.Integer({ description: 'last durable event of the log of a cell' }),
    ),
    runs: Part,
    robot: Part,
    recorder: Part,
    control: Part,
    zenoh: Part,
    lake: Part,
    link: Part,
    quotas: Type.Optional(Type.Array(QuotaSchema)),
    models: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String(),
            state: Type.String({ description: 'up, failing, down, sleeping, resting, unknown' }),
            reason: Type.String(),
          },
          closed,
        ),
        { description: 'in the order in which they are asked; absent where none is configured' },
      ),
    ),
    wires: Type.Optional(Type.Array(WireSchema)),
    a2a_push: Type.Optional(
      Type.Object(
        { configs: Count, waiting: Count, delivered: Count, failed: Count, dropped: Count, expired: Count },
        { ...closed, description: 'push notifications to A2A clients; absent where none are allowed' },
      ),
    ),
  },
  closed,
);

export const MapView = Type.Object(
  {
    time_ns: WireTime,
    width: Type.Integer(),
    height: Type.Integer(),
    resolution: Type.Number({ description: 'metres per cell' }),
    origin: Type.Object({ x: Type.Number(), y: Type.Number() }),
    cells: Type.String({
      description: 'int8 per cell, row-major from the origin, base64; -1 unknown, 100 occupied',
    }),
  },
  closed,
);

export const RowsView = Type.Object(
  {
    columns: Type.Array(Type.Object({ name: Type.String(), type: Type.String() })),
    rows: Type.Array(Type.Array(Type.Unknown())),
    truncated: Type.Boolean({ description: 'there are more rows' }),
    reason: Type.String({ description: 'the limit or budget that left them out; empty where all are there' }),
    bytes: Type.Integer({ description: 'of the values, as the lakehouse holds them' }),
    cut: Type.Integer({
      description: 'values that were too long: the start of a text, or nothing, and a mark',
    }),
    notes: Type.Optional(
      Type.Array(Type.String(), { description: 'what is missing of recordings that messages() read' }),
    ),
  },
  closed,
);

export const Done = Type.Object({ ok: Type.Literal(true), result: Type.Optional(Type.Unknown()) }, closed);

/** An answer that is text of these media types. */
export const asText = (types: readonly string[], description: string) => ({
  content: Object.fromEntries(types.map((type) => [type, { schema: Type.String({ description }) }])),
});

/** Every error answer of the API has this one shape. */
export const errors = { '4xx': ErrorBody, '5xx': ErrorBody };

/** A recording to be played; the path is on the robot's own disk. */
export const PlayBody = Type.Object(
  {
    path: Type.String({
      minLength: 1,
      maxLength: 4096,
      description: 'absolute path of a file or folder on the robot',
    }),
    rate: Type.Number({
      minimum: 0,
      maximum: 1000,
      description: 'times the pace of the recording; 0 is as fast as it goes',
    }),
    loop: Type.Optional(Type.Boolean()),
    start_s: Type.Optional(Type.Number({ minimum: 0, maximum: 1e9, description: 'skip this much, seconds' })),
    duration_s: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, maximum: 1e9, description: 'play this much at most, seconds' }),
    ),
    delay_s: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 30,
        description:
          'wait at least this long for listeners, before the first message and after the last, seconds',
      }),
    ),
    topics: Type.Optional(
      Type.Array(Type.String({ maxLength: 256 }), {
        maxItems: 1024,
        description: 'only these; `*` stands for anything',
      }),
    ),
    exclude: Type.Optional(
      Type.Array(Type.String({ maxLength: 256 }), { maxItems: 1024, description: 'not these' }),
    ),
    remap: Type.Optional(
      Type.Array(Type.String({ maxLength: 600 }), { maxItems: 1024, description: '`/old:=/new`' }),
    ),
    to: Type.Optional(Type.Enum(['bus', 'ros', 'zenoh'], { description: 'default: bus' })),
    prefix: Type.Optional(
      Type.String({ maxLength: 256, description: 'of the keys, for zenoh; default: zenoh.prefix' }),
    ),
    clock_hz: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1000,
        description: 'publish the time of the bag on /clock so often',
      }),
    ),
    allow_commands: Type.Optional(
      Type.Boolean({
        description: 'play velocities too, under the actuation lease and within the limits of the robot',
      }),
    ),
    paused: Type.Optional(Type.Boolean({ description: 'start paused' })),
  },
  closed,
);
export const SeekBody = Type.Object(
  {
    position_s: Type.Number({ minimum: 0, maximum: 1e9, description: 'from the start of the bag, seconds' }),
  },
  closed,
);
export const RateBody = Type.Object(
  {
    rate: Type.Number({ minimum: 0, maximum: 1000, description: 'times the pace; 0 is as fast as it goes' }),
  },
  closed,
);
export const PlayParams = Type.Object({ id: Type.String({ pattern: '^[0-9]{1,9}$' }) }, closed);
export const PlayView = Type.Object(
  {
    play_id: Type.String(),
    path: Type.String(),
    to: Type.Enum(['bus', 'ros', 'zenoh']),
    state: Type.Enum(['playing', 'paused', 'finished', 'failed', 'stopped']),
    messages: Type.Integer({ description: 'of the topics that are played, once through the bag' }),
    published: Type.Integer(),
    position_s: Type.Number(),
    duration_s: Type.Number(),
    rate: Type.Number(),
    loops: Type.Integer(),
    withheld: Type.Array(Type.String(), { description: 'topics not played because a robot might obey them' }),
    reason: Type.String(),
  },
  closed,
);

export const BagParams = Type.Object(
  { bag: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' }) },
  closed,
);
export const AdoptedView = Type.Object(
  {
    bag: Type.String(),
    segments: Type.Array(
      Type.Object({
        bag: Type.String(),
        path: Type.String(),
        sha256: Type.String(),
        bytes: Type.Integer(),
        messages: Type.Integer(),
        repaired: Type.Boolean(),
      }),
    ),
  },
  closed,
);
