import type { FastifyInstance } from 'fastify';
import { EdgeError, UUID_PATTERN } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { saysStop } from '../says-stop.ts';
import { errors, SubmittedView } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const AskBody = Type.Object(
  { words: Type.String({ minLength: 1, maxLength: 8_000, description: 'what is wanted, in any words' }) },
  closed,
);
const NoBody = Type.Object({}, closed);
const AskParams = Type.Object({ id: Type.String({ pattern: UUID_PATTERN, description: 'ask_id' }) }, closed);
const one = {
  ask_id: Type.String(),
  words: Type.String(),
  app: Type.String({ description: 'application that would do it' }),
  intent: Type.Object({ type: Type.String(), params: Type.Record(Type.String(), Type.Unknown()) }),
  about: Type.String({ description: 'what the application says that it does' }),
  reason: Type.String(),
  model: Type.Optional(Type.String({ description: 'that chose it; absent: a phrase fits the words' })),
  expires_ts: Type.String({ description: 'nanoseconds since the epoch' }),
};
const Candidate = Type.Object({ ...one, kind: Type.Literal('intent') }, closed);
const { ask_id, words, reason, ...rest } = one;
const PlanBox = Type.Object(
  {
    ...{ ask_id, words, reason },
    kind: Type.Enum(['intent', 'agent', 'unclear', 'stopped'], {
      description:
        'intent: an application fits; agent: the words go to the general agent; unclear: the words mean several ' +
        'things, each of candidates is confirmed by its own ask_id; stopped: they were an order to stop, carried out',
    }),
    ...Type.Partial(Type.Object(rest)).properties,
    candidates: Type.Optional(Type.Array(Candidate, { description: 'of unclear' })),
    confirmed: Type.Optional(
      Type.Boolean({ description: 'of stopped: it was measured that the robot stands' }),
    ),
    warnings: Type.Optional(Type.Array(Type.String(), { description: 'of stopped' })),
  },
  { ...closed, title: 'AskPlan' },
);

/** In your own words: first what would be done, then its confirmation. */
export function askRoutes(app: FastifyInstance, { ask }: HttpPorts): void {
  const desk = () => {
    if (ask) return ask;
    throw new EdgeError('model.unavailable', { operation: 'ask', subject: 'models', retryable: false });
  };
  app.post(
    '/v1/ask',
    {
      schema: {
        operationId: 'ask',
        summary: 'Say in words what is wanted; answers what would be done, and does nothing yet but a stop',
        tags: ['sessions'],
        body: AskBody,
        response: { 200: PlanBox, ...errors },
      },
      config: { stopsWith: (body) => saysStop('/v1/ask', body) },
    },
    async (request, reply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const { words } = request.body as Static<typeof AskBody>;
      return await desk().plan(words, callerOf(request), gone.signal);
    },
  );
  app.post(
    '/v1/ask/:id/confirm',
    {
      schema: {
        operationId: 'confirmAsk',
        summary: 'Do what was planned; by its caller only, and twice is one run',
        tags: ['sessions'],
        params: AskParams,
        body: NoBody,
        response: { 200: SubmittedView, 201: SubmittedView, ...errors },
      },
    },
    async (request, reply) => {
      const { id } = request.params as Static<typeof AskParams>;
      const submitted = await desk().confirm(id, callerOf(request));
      return reply
        .code(submitted.duplicate ? 200 : 201)
        .header('location', `/v1/runs/${submitted.run.run_id}`)
        .send(submitted);
    },
  );
}
