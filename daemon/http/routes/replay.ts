import type { FastifyInstance } from 'fastify';
import { EdgeError, type PolicyContext, type ReplayRequest, UUID_PATTERN } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, RunParams } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const RunId = Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7 of a run' });
const Pair = Type.Object({ id: RunId, other: RunId }, closed);
const Body = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'number or id of an event, or a phase; absent: the start',
      }),
    ),
    model: Type.Optional(
      Type.String({ maxLength: 128, description: 'ask this model of [[models]] instead of the record' }),
    ),
    policies: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 262_144,
        description: 'judge each call by these Cedar policies instead of the recorded ones',
      }),
    ),
    sim: Type.Optional(
      Type.Boolean({ description: 'send the intent to a fresh simulation; goes with nothing else' }),
    ),
  },
  closed,
);
const Answer = Type.Object({}, { additionalProperties: true });

/**
 * Models cost money and simulations need a processor: only operators of this robot may use them. Throws
 * `policy.denied`.
 */
function requireHouse({ tenant, roles }: PolicyContext, { from: _, ...swaps }: ReplayRequest): void {
  const operator = tenant === 'local' && roles.includes('operator');
  if (operator || Object.keys(swaps).length === 0) return;
  throw new EdgeError('policy.denied', {
    operation: 'replay',
    subject: Object.keys(swaps).join(', '),
    message: 'only an operator of this robot swaps in models, policies or simulations',
  });
}

/** Replay of runs. Each request is answered by a process of its own, which reads the log and has no other access. */
export function replayRoutes(app: FastifyInstance, { replay }: HttpPorts): void {
  if (!replay) return;
  app.post(
    '/v1/runs/:id/replay',
    {
      schema: {
        operationId: 'replayRun',
        summary: 'Do a recorded run again with the recorded answers; nothing is reached, nothing moves',
        tags: ['runs'],
        params: RunParams,
        body: Body,
        response: { 200: Answer, ...errors },
      },
    },
    async (request, reply) => {
      const { id } = request.params as { id: string };
      const body = request.body as ReplayRequest;
      requireHouse(callerOf(request), body);
      // It may take as long as a mission: it ends when the client disconnects.
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      return await replay.replay(id, body, gone.signal);
    },
  );
  app.get(
    '/v1/runs/:id/diff/:other',
    {
      schema: {
        operationId: 'diffRuns',
        summary: 'Where two runs part, and the rest side by side',
        tags: ['runs'],
        params: Pair,
        response: { 200: Answer, ...errors },
      },
    },
    async (request) => {
      const { id, other } = request.params as { id: string; other: string };
      return replay.diff(id, other);
    },
  );
  app.get(
    '/v1/runs/:id/trace',
    {
      schema: {
        operationId: 'traceRun',
        summary: 'The spans of a run: intent, run, phases, models, tools, motions, approvals',
        tags: ['runs'],
        params: RunParams,
        response: {
          200: Type.Object({ spans: Type.Array(Type.Object({}, { additionalProperties: true })) }, closed),
          ...errors,
        },
      },
    },
    async (request) => ({ spans: await replay.trace((request.params as { id: string }).id) }),
  );
}
