import type { FastifyInstance } from 'fastify';
import { EdgeError, UUID_PATTERN } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, SubmittedView } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const AskBody = Type.Object(
  { words: Type.String({ minLength: 1, maxLength: 8_000, description: 'what is wanted, in any words' }) },
  closed,
);
const NoBody = Type.Object({}, closed);
const AskParams = Type.Object({ id: Type.String({ pattern: UUID_PATTERN, description: 'ask_id' }) }, closed);
const PlanBox = Type.Object(
  {
    ask_id: Type.String(),
    words: Type.String(),
    kind: Type.Enum(['intent', 'agent'], {
      description: 'intent: an application fits; agent: the words go to the general agent',
    }),
    app: Type.String(),
    intent: Type.Object({ type: Type.String(), params: Type.Record(Type.String(), Type.Unknown()) }),
    about: Type.String(),
    reason: Type.String(),
    model: Type.String(),
    expires_ts: Type.String({ description: 'nanoseconds since the epoch' }),
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
        summary: 'Say in words what is wanted; answers what would be done, and does nothing yet',
        tags: ['sessions'],
        body: AskBody,
        response: { 200: PlanBox, ...errors },
      },
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
