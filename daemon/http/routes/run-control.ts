import type { FastifyInstance } from 'fastify';
import {
  LIMITS,
  type RunControlApi,
  type RunMessage,
  RunState,
  THINKING_LEVELS,
  UUID_PATTERN,
  WireTime,
  withDeadline,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { saysStop } from '../says-stop.ts';
import { errors, NoQuery, RunParams, RunsView } from '../schemas.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';

const closed = { additionalProperties: false } as const;
const text = (description: string) =>
  Type.String({ minLength: 1, maxLength: LIMITS.RUN_MESSAGE_CHARS_MAX, description });
const model = Type.String({ minLength: 1, maxLength: 256, description: 'name of a model' });
const entryId = Type.String({ minLength: 1, maxLength: 128, description: 'entry of the session' });

const message_id = Type.Optional(
  Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7; said twice under one id it counts once' }),
);
export const MessageBody = Type.Union(
  [
    Type.Object({ kind: Type.Literal('steer'), text: text('before the next turn'), message_id }, closed),
    Type.Object({ kind: Type.Literal('follow_up'), text: text('when it would stop'), message_id }, closed),
    Type.Object({ kind: Type.Literal('model'), model, message_id }, closed),
    Type.Object(
      { kind: Type.Literal('compact'), text: Type.Optional(text('what to keep')), message_id },
      closed,
    ),
    Type.Object(
      { kind: Type.Literal('thinking'), level: Type.Enum([...THINKING_LEVELS]), message_id },
      closed,
    ),
    Type.Object({ kind: Type.Literal('stop'), message_id }, closed),
    Type.Object({ kind: Type.Literal('close'), message_id }, closed),
    Type.Object({ kind: Type.Literal('label'), text: text('label'), entry_id: entryId, message_id }, closed),
  ],
  {
    description:
      'steer: before the next turn; follow_up: when it would stop; model, thinking: from the next turn on; stop, close: of a session',
  },
);
const ForkBody = Type.Object(
  {
    entry_id: entryId,
    text: Type.Optional(text('first message for the new run')),
    model: Type.Optional(model),
    idempotency_key: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'the same fork twice is one run' }),
    ),
  },
  closed,
);
const SessionView = Type.Object(
  {
    entries: Type.Array(
      Type.Object({
        entry_id: Type.String(),
        parent_id: Type.Optional(Type.String()),
        kind: Type.String(),
        ts: WireTime,
        text: Type.String({ description: 'first line, cut' }),
        label: Type.Optional(Type.String()),
        leaf: Type.Boolean({ description: 'the next entry hangs below this one' }),
      }),
    ),
  },
  closed,
);

/** Pause, resume, messages, sessions, forks and trees of runs. */
export function runControlRoutes(app: FastifyInstance, { control, clock }: HttpPorts): void {
  if (!control) return;
  const settle = <T>(work: Promise<T>, operation: string, subject: string) =>
    withDeadline(clock, LIMITS.API_REQUEST_MS, work, operation, subject);
  const id = (request: { params: unknown }) => (request.params as Static<typeof RunParams>).id;

  const order = (
    word: 'pause' | 'resume',
    summary: string,
    work: (id: string, reason: string, by: string) => Promise<RunState>,
  ) =>
    app.post(
      `/v1/runs/:id/${word}`,
      {
        schema: {
          operationId: `${word}Run`,
          summary,
          tags: ['runs'],
          params: RunParams,
          body: word === 'pause' ? StopBody : NoQuery,
          response: { 200: RunState, ...errors },
        },
        config: { stops: word === 'pause' },
      },
      async (request) => {
        const { reason } = stopOrderOf(request);
        const { principal } = callerOf(request);
        return settle(work(id(request), reason, principal), `${word} run`, id(request));
      },
    );
  order(
    'pause',
    'Stop the robot, then hold the run, and those it asked for, where they are',
    (run, reason, by) => control.pause(run, reason, by),
  );
  order('resume', 'Continue a paused run', (run, _, by) => control.resume(run, undefined, by));
  talkRoutes(app, control, settle);
  treeRoutes(app, control);
}

type Settle = <T>(work: Promise<T>, operation: string, subject: string) => Promise<T>;

function talkRoutes(app: FastifyInstance, control: RunControlApi, settle: Settle): void {
  app.post(
    '/v1/runs/:id/messages',
    {
      schema: {
        operationId: 'messageRun',
        summary: 'Say something to a run in progress',
        tags: ['runs'],
        params: RunParams,
        body: MessageBody,
        response: { 200: RunState, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/runs/:id/messages', body) },
    },
    async (request) => {
      const { id } = request.params as Static<typeof RunParams>;
      const body = request.body as Static<typeof MessageBody>;
      const who = callerOf(request);
      const options = body.message_id === undefined ? {} : { messageId: body.message_id };
      return settle(control.message(id, messageOf(body), who, options), 'message run', id);
    },
  );
  app.post(
    '/v1/runs/:id/fork',
    {
      schema: {
        operationId: 'forkRun',
        summary: 'Open a new run that continues from an entry of the session of this one',
        tags: ['runs'],
        params: RunParams,
        body: ForkBody,
        response: { 201: RunState, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/runs/:id/fork', body) },
    },
    async (request, reply) => {
      const { id } = request.params as Static<typeof RunParams>;
      const { entry_id, text, model, idempotency_key } = request.body as Static<typeof ForkBody>;
      const who = callerOf(request);
      const options = {
        ...(text === undefined ? {} : { text }),
        ...(model === undefined ? {} : { model }),
        ...(idempotency_key === undefined ? {} : { idempotencyKey: idempotency_key }),
      };
      const run = await settle(control.fork(id, entry_id, who, options), 'fork run', id);
      return reply.code(201).header('location', `/v1/runs/${run.run_id}`).send(run);
    },
  );
}

function treeRoutes(app: FastifyInstance, control: RunControlApi): void {
  app.get(
    '/v1/runs/:id/session',
    {
      schema: {
        operationId: 'getRunSession',
        summary: 'The tree of the session of a run, oldest entry first; empty where its harness has none',
        tags: ['runs'],
        params: RunParams,
        response: { 200: SessionView, ...errors },
      },
    },
    async (request) => ({ entries: control.session((request.params as Static<typeof RunParams>).id) }),
  );
  app.get(
    '/v1/runs/:id/tree',
    {
      schema: {
        operationId: 'getRunTree',
        summary: 'A run and the runs it asked for, parents before children',
        tags: ['runs'],
        params: RunParams,
        response: { 200: RunsView, ...errors },
      },
    },
    async (request) => ({ runs: control.tree((request.params as Static<typeof RunParams>).id) }),
  );
}

export function messageOf(body: Static<typeof MessageBody>): RunMessage {
  switch (body.kind) {
    case 'model':
      return { kind: body.kind, model: body.model };
    case 'thinking':
      return { kind: body.kind, level: body.level };
    case 'stop':
    case 'close':
      return { kind: body.kind };
    case 'label':
      return { kind: body.kind, entryId: body.entry_id, text: body.text };
    case 'compact':
      return body.text === undefined ? { kind: body.kind } : { kind: body.kind, text: body.text };
    default:
      return { kind: body.kind, text: body.text };
  }
}
