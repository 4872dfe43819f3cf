import type { FastifyInstance } from 'fastify';
import { isFinished } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { asText, EventsQuery, errors, RunEventsQuery, RunParams } from '../schemas.ts';
import type { Streams } from '../streams.ts';

const text = {
  200: asText(['text/event-stream', 'application/x-ndjson'], 'one AgentEvent per message or line'),
};

/** Events as streams: replay from a cursor, then whatever is appended to any log. */
export function eventRoutes(app: FastifyInstance, ports: HttpPorts, streams: Streams): void {
  app.get(
    '/v1/events',
    {
      schema: {
        operationId: 'streamEvents',
        summary: 'Events of all cells; every message carries the cursor to come back with as its id',
        tags: ['events'],
        querystring: EventsQuery,
        response: { ...text, ...errors },
      },
    },
    (request, reply) => streams.serve(request, reply, request.query as Static<typeof EventsQuery>),
  );

  app.get(
    '/v1/runs/:id/events',
    {
      schema: {
        operationId: 'streamRunEvents',
        summary: 'Events of one run; the stream ends with the run. 204 where nothing can follow the cursor',
        tags: ['events'],
        params: RunParams,
        querystring: RunEventsQuery,
        response: { ...text, 204: Type.Null(), ...errors },
      },
    },
    async (request, reply) => {
      const { id } = request.params as Static<typeof RunParams>;
      const finished = isFinished(ports.runtime.run(id).run.status);
      const wanted = request.query as Static<typeof RunEventsQuery>;
      return streams.serve(request, reply, { ...wanted, run: id, endWithRun: true, finished });
    },
  );
}
