import type { FastifyInstance } from 'fastify';
import { type ReplayRequest, UUID_PATTERN } from '../../../contract/index.ts';
import { Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, RunParams } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const RunId = Type.String({ pattern: UUID_PATTERN, description: 'UUIDv7 of a run' });
const Pair = Type.Object({ id: RunId, other: RunId }, closed);
/** Models, policies and simulations are swapped on the command line: they cost more than a request may. */
const Body = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        maxLength: 128,
        description: 'number or id of an event, or a phase; absent: the beginning',
      }),
    ),
  },
  closed,
);
const Answer = Type.Object({}, { additionalProperties: true });

/** Looking back at runs. Each request is answered by a process of its own, which reads the log and reaches nothing. */
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
    async (request) => replay.replay((request.params as { id: string }).id, request.body as ReplayRequest),
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
