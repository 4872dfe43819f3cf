import type { FastifyInstance } from 'fastify';
import { METHODS } from '../../../contract/index.ts';
import type { Static } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { CancelBody, errors, PlayBody, PlayParams, PlayView } from '../schemas.ts';

/** Playing recordings onto the bus of the execution cell. */
export function playRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.post(
    '/v1/plays',
    {
      schema: {
        operationId: 'startPlay',
        summary: 'Play a recording of this host onto the bus; one at a time',
        tags: ['robot'],
        body: PlayBody,
        response: { 201: PlayView, ...errors },
      },
    },
    async (request, reply) => {
      const { path, rate, loop = false, start_s = 0, topics = [] } = request.body as Static<typeof PlayBody>;
      const order = { path, rate, loop, startS: start_s, topics };
      return reply.code(201).send(await bus.request('execution', METHODS.execution.bagPlay, order));
    },
  );

  app.get(
    '/v1/plays/:id',
    {
      schema: {
        operationId: 'getPlay',
        summary: 'How far a play is',
        tags: ['robot'],
        params: PlayParams,
        response: { 200: PlayView, ...errors },
      },
    },
    async (request) => bus.request('execution', METHODS.execution.bagPlayState, request.params),
  );

  app.post(
    '/v1/plays/:id/stop',
    {
      schema: {
        operationId: 'stopPlay',
        summary: 'End a play',
        tags: ['robot'],
        params: PlayParams,
        body: CancelBody,
        response: { 200: PlayView, ...errors },
      },
    },
    async (request) => bus.request('execution', METHODS.execution.bagPlayStop, request.params),
  );
}
