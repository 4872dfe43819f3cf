import { type Static, Type } from 'typebox';
import { checker } from './check.ts';
import { Count, Json, Name, Text, Uuid } from './common.ts';
import { RUNTIME_LIMITS } from './runtime-limits.ts';

/**
 * Messages of foreign runtimes; described in `contract/RUNTIME.md`. What the daemon receives is checked by these.
 * Unknown fields are ignored, so that newer runtimes are understood.
 */
export const RUNTIME_VERSION = 1;
export const RUNTIME_SUBPROTOCOL = 'auraison.runtime.v1';

/** Close codes of the WebSocket. */
export const RUNTIME_CLOSE = {
  leaving: 1001,
  malformed: 4400,
  silent: 4408,
  replaced: 4409,
  disconnected: 4410,
  tooLarge: 4413,
  version: 4426,
  flood: 4429,
} as const;

const open = { additionalProperties: true } as const;
const Seq = Type.Integer({
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'number in the session',
});
const Run = Uuid('run, UUIDv7');
const CallId = Type.String({ pattern: '^[A-Za-z0-9._:-]{1,64}$', description: 'used once in the run' });
const AgentName = Type.String({ pattern: '^([A-Za-z0-9][A-Za-z0-9._-]{0,63}|\\*)$' });

export const RuntimeHello = Type.Object(
  {
    type: Type.Literal('hello'),
    versions: Type.Array(Type.Integer({ minimum: 1, maximum: 1_000 }), { minItems: 1, maxItems: 16 }),
    runtime: Type.Optional(
      Type.Object(
        { version: Type.Optional(Text(64, 'its version')), language: Type.Optional(Text(64, 'for people')) },
        open,
      ),
    ),
    agents: Type.Array(AgentName, { minItems: 1, maxItems: 64 }),
    capabilities: Type.Optional(Type.Array(Text(64, 'capability'), { maxItems: 32 })),
    resume: Type.Optional(
      Type.Object({ session: Text(64, 'as in welcome'), received: Count('last number it has taken') }, open),
    ),
  },
  open,
);
export type RuntimeHello = Static<typeof RuntimeHello>;
export const runtimeHelloChecker = checker(RuntimeHello);

const Ack = Type.Object({ type: Type.Literal('ack'), received: Count('all up to this are taken') }, open);
const Ping = Type.Object({ type: Type.Literal('ping') }, open);
const Pong = Type.Object({ type: Type.Literal('pong') }, open);
const Failure = Type.Object({ type: Type.Literal('error') }, open);
const Spawned = Type.Object(
  { type: Type.Literal('spawned'), seq: Seq, run: Run, error: Type.Optional(Text(512, 'why it will not')) },
  open,
);
const Call = Type.Object(
  { type: Type.Literal('call'), seq: Seq, run: Run, call: CallId, tool: Text(128, 'tool'), args: Json },
  open,
);
const Cancel = Type.Object({ type: Type.Literal('cancel'), seq: Seq, run: Run, call: CallId }, open);
const Events = Type.Object(
  {
    type: Type.Literal('events'),
    seq: Seq,
    run: Run,
    batch: CallId,
    events: Type.Array(
      Type.Union([
        Type.Object(
          {
            kind: Type.Literal('run.phase'),
            payload: Type.Object(
              { phase: Name('phase'), reason: Text(512, 'why'), facts: Type.Optional(Json) },
              open,
            ),
          },
          open,
        ),
        Type.Object(
          {
            kind: Type.Literal('session.entry'),
            payload: Type.Object(
              {
                entry_id: Type.String({ minLength: 1, maxLength: 128 }),
                parent_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
                entry: Json,
              },
              open,
            ),
          },
          open,
        ),
      ]),
      { minItems: 1, maxItems: 64 },
    ),
  },
  open,
);
const Stream = Type.Object(
  {
    type: Type.Literal('stream'),
    seq: Seq,
    run: Run,
    channel: Type.Enum(['text', 'thought']),
    text: Text(RUNTIME_LIMITS.STREAM_CHARS_MAX, 'piece'),
  },
  open,
);
const Finish = Type.Object(
  {
    type: Type.Literal('finish'),
    seq: Seq,
    run: Run,
    status: Type.Enum(['succeeded', 'failed', 'cancelled']),
    reason: Text(512, 'why'),
    summary: Type.Optional(Json),
    score: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  },
  open,
);

/** What a runtime sends after `hello`. */
export const FromRuntime = Type.Union([
  Ack,
  Ping,
  Pong,
  Failure,
  Spawned,
  Call,
  Cancel,
  Events,
  Stream,
  Finish,
]);
export type FromRuntime = Static<typeof FromRuntime>;
export const fromRuntimeChecker = checker(FromRuntime);

/** Messages about runs, which are numbered. */
export type RunFromRuntime = Extract<FromRuntime, { readonly run: string }>;
