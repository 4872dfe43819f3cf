import type { FastifyInstance, FastifyRequest } from 'fastify';
import {
  EdgeError,
  type IntentRequest,
  isUuidv7,
  LIMITS,
  type PolicyContext,
  type RunControlApi,
  type RunDetails,
  type RunMessage,
  UUID_PATTERN,
  withDeadline,
} from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { saysStop } from '../says-stop.ts';
import { asText, errors, RunDetailsView, RunParams } from '../schemas.ts';
import { StopBody, stopOrderOf } from '../stop-order.ts';
import { tokenLines } from '../token-stream.ts';
import { MessageBody, messageOf } from './run-control.ts';

const closed = { additionalProperties: false } as const;
const Words = Type.String({
  minLength: 1,
  maxLength: LIMITS.RUN_MESSAGE_CHARS_MAX,
  description: 'what is said',
});
const message_id = Type.Optional(
  Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7; said twice under one id it counts once' }),
);
const WordsBody = Type.Object({ text: Words, message_id }, closed);
const CloseBody = Type.Object({ message_id }, closed);
const NewSession = Type.Object(
  {
    type: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'intent of an agent; robot/chat where absent',
      }),
    ),
    text: Type.Optional(Words),
    params: Type.Optional(Type.Record(Type.String({ maxLength: 128 }), Type.Unknown())),
    idempotency_key: Type.Optional(Type.String({ minLength: 1, maxLength: 128 })),
  },
  { ...closed, description: 'text stands for params.words, which robot/chat has' },
);
const SessionBox = Type.Object(
  {
    session_id: Type.String({ description: 'id of its run: all of /v1/runs/{id} is there too' }),
    state: Type.Enum(['queued', 'working', 'waiting', 'asking', 'paused', 'ended'], {
      description: 'waiting: for what the person says next; asking: for an approval',
    }),
    reason: Type.String(),
    attended: Type.Boolean({ description: 'after each answer it waits for the next message' }),
    details: RunDetailsView,
  },
  { title: 'Session' },
);
const SessionsBox = Type.Object({ sessions: Type.Array(SessionBox) }, closed);

export const CHAT_INTENT = 'robot/chat';

/** Conversations with agents: each is a run, with its own tree, and the run is in the log. */
export function sessionRoutes(app: FastifyInstance, ports: HttpPorts): void {
  const { control, runtime, clock } = ports;
  if (!control) return;
  const settle = <T>(work: Promise<T>, operation: string, subject: string) =>
    withDeadline(clock, LIMITS.API_REQUEST_MS, work, operation, subject);

  app.post(
    '/v1/sessions',
    {
      schema: {
        operationId: 'createSession',
        summary: 'Start to talk with an agent',
        tags: ['sessions'],
        body: NewSession,
        response: { 201: SessionBox, 200: SessionBox, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/sessions', body) },
    },
    async (request, reply) => {
      const opened = await settle(
        runtime.submit(intentOf(request.body as Static<typeof NewSession>), callerOf(request)),
        'create session',
        'runtime',
      );
      const { run_id } = opened.run;
      return reply
        .code(opened.duplicate ? 200 : 201)
        .header('location', `/v1/sessions/${run_id}`)
        .send(box(runtime.run(run_id)));
    },
  );

  app.get(
    '/v1/sessions',
    {
      schema: {
        operationId: 'listSessions',
        summary: 'Conversations, the newest first',
        tags: ['sessions'],
        response: { 200: SessionsBox, ...errors },
      },
    },
    async (request) => {
      const { tenant } = callerOf(request);
      const runs = runtime.runs({ limit: 1_000, ...(tenant === 'local' ? {} : { tenant }) });
      return { sessions: runs.filter(({ intent }) => intent.attended === true).map(box) };
    },
  );

  app.get(
    '/v1/sessions/:id',
    {
      schema: {
        operationId: 'getSession',
        summary: 'One conversation; its tree is /v1/runs/{id}/session, its events /v1/runs/{id}/events',
        tags: ['sessions'],
        params: RunParams,
        response: { 200: SessionBox, ...errors },
      },
    },
    async (request) => box(found(ports, request)),
  );

  app.get(
    '/v1/sessions/:id/tokens',
    {
      schema: {
        operationId: 'streamSessionTokens',
        summary:
          'Text of the agent while it comes, as lines of JSON; nothing of before. What counts is in the events',
        tags: ['sessions'],
        params: RunParams,
        response: { 200: asText(['application/x-ndjson'], '{"kind":"text","text":"…"} per line'), ...errors },
      },
    },
    async (request, reply) => {
      const { run } = found(ports, request);
      return reply
        .type('application/x-ndjson; charset=utf-8')
        .header('cache-control', 'no-store')
        .send(tokenLines(ports, run.run_id));
    },
  );
  talkRoutes(app, ports, control);
}

function talkRoutes(app: FastifyInstance, ports: HttpPorts, control: RunControlApi): void {
  const say = async (request: FastifyRequest, message: RunMessage) => {
    const id = found(ports, request).run.run_id;
    const said = message.kind === 'stop' ? stopOrderOf(request).fields : request.body;
    const { message_id: given } = (said ?? {}) as { message_id?: unknown };
    const messageId = isUuidv7(given) ? given : undefined;
    const options = messageId === undefined ? {} : { messageId };
    const taken = control.message(id, message, callerOf(request), options);
    await withDeadline(ports.clock, LIMITS.API_REQUEST_MS, taken, 'message session', id);
    return box(ports.runtime.run(id));
  };
  const way = (
    word: string,
    about: readonly [operationId: string, summary: string],
    body: typeof WordsBody | typeof CloseBody | typeof MessageBody | typeof StopBody,
    messageFrom: (body: unknown) => RunMessage,
  ) =>
    app.post(
      `/v1/sessions/:id/${word}`,
      {
        schema: {
          operationId: about[0],
          summary: about[1],
          tags: ['sessions'],
          params: RunParams,
          body,
          response: { 200: SessionBox, ...errors },
        },
        config: {
          stops: word === 'stop',
          stopsWith: (given) => saysStop(`/v1/sessions/:id/${word}`, given),
        },
      },
      (request) => say(request, messageFrom(request.body)),
    );
  const text = (body: unknown) => (body as Static<typeof WordsBody>).text;
  way(
    'messages',
    ['messageSession', 'Say something, switch the model or how much it thinks, compact'],
    MessageBody,
    (body) => messageOf(body as Static<typeof MessageBody>),
  );
  way('steer', ['steerSession', 'Say something that counts before its next turn'], WordsBody, (body) => ({
    kind: 'steer',
    text: text(body),
  }));
  way('follow-up', ['followUpSession', 'Say something for when it has done its work'], WordsBody, (body) => ({
    kind: 'follow_up',
    text: text(body),
  }));
  way(
    'stop',
    ['stopSession', 'End what it does now, its motion first; then it waits. No policy can deny it'],
    StopBody,
    () => ({ kind: 'stop' }),
  );
  way('close', ['closeSession', 'End the conversation once it waits'], CloseBody, () => ({ kind: 'close' }));
}

function intentOf({
  type = CHAT_INTENT,
  text,
  params,
  idempotency_key,
}: Static<typeof NewSession>): IntentRequest {
  const words = text === undefined ? {} : { words: text };
  return {
    type,
    params: { ...words, ...params },
    attended: true,
    ...(idempotency_key === undefined ? {} : { idempotency_key }),
  };
}

/** A conversation of another tenant does not exist for a caller. */
function found({ runtime }: HttpPorts, request: FastifyRequest): RunDetails {
  const { id } = request.params as Static<typeof RunParams>;
  const { tenant } = callerOf(request) satisfies PolicyContext;
  const details = runtime.run(id);
  const theirs = tenant === 'local' || details.intent.policy_ctx.tenant === tenant;
  if (theirs && details.intent.attended === true) return details;
  throw new EdgeError('run.not_found', {
    operation: 'find session',
    subject: id,
    message: `there is no session ${id}`,
    hint: 'GET /v1/sessions lists them',
  });
}

function box(details: RunDetails): Static<typeof SessionBox> {
  const { run, reason, phase, intent } = details;
  return {
    session_id: run.run_id,
    state: stateOf(run.status, phase),
    reason,
    attended: intent.attended === true,
    details: details as unknown as Static<typeof RunDetailsView>,
  };
}

function stateOf(
  status: RunDetails['run']['status'],
  phase: string | undefined,
): Static<typeof SessionBox>['state'] {
  switch (status) {
    case 'running':
      return phase === 'waiting' ? 'waiting' : 'working';
    case 'paused':
      return 'paused';
    case 'succeeded':
    case 'failed':
    case 'cancelled':
      return 'ended';
    default:
      return status === 'queued' ? 'queued' : 'asking';
  }
}
