import type { FastifyInstance } from 'fastify';
import { METHODS } from '../../../contract/index.ts';
import type { Static } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { AdoptedView, BagParams, CancelBody, errors } from '../schemas.ts';

/** Recordings in the catalogue of this robot. */
export function bagRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.post(
    '/v1/bags/:bag/adopt',
    {
      schema: {
        operationId: 'adoptBag',
        summary:
          'Enter the segments of an imported bag into the log, and with it into lake and link; twice is once',
        tags: ['robot'],
        params: BagParams,
        body: CancelBody,
        response: { 200: AdoptedView, ...errors },
      },
    },
    async (request) =>
      bus.request('execution', METHODS.execution.bagAdopt, request.params as Static<typeof BagParams>),
  );
}
