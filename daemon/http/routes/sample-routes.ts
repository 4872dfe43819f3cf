import type { FastifyInstance } from 'fastify';
import { EdgeError, LIMITS, METHODS } from '../../../contract/index.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors, NoQuery } from '../schemas.ts';
import { RoutesView } from './sample-route-schemas.ts';

/** Routes of samples between ROS topics, Zenoh keys and the bus. */
export function sampleRouteRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.get(
    '/v1/routes',
    {
      schema: {
        operationId: 'listSampleRoutes',
        summary: 'Routes of samples: state, rates, queues, and the loss ledger of each topic and hop',
        tags: ['robot'],
        querystring: NoQuery,
        response: { 200: RoutesView, ...errors },
      },
    },
    async () => {
      const status = await bus.request('execution', METHODS.execution.status, {}, LIMITS.STATUS_PART_MS);
      if (!status)
        throw new EdgeError('cell.unavailable', { operation: 'list routes', subject: 'execution' });
      const ledger = status.ledger.map(({ hop = 'recorder', forwarded = 0, ...line }) => ({
        hop,
        forwarded,
        ...line,
      }));
      return { routes: status.routes ?? [], ledger };
    },
  );
}
