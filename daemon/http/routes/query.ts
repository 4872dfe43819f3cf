import type { FastifyInstance } from 'fastify';
import { type LakeQueryRequest, LIMITS, METHODS } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import { callerOf } from '../caller.ts';
import type { HttpPorts } from '../http-ports.ts';
import { NDJSON, queryLines, wantsLines } from '../query-stream.ts';
import { errors, QueryBody, RowsView } from '../schemas.ts';

const MIB = 1024 * 1024;
const Lines = Type.String({
  description:
    '{columns}, then one array per row, then {end: {truncated, reason, rows, bytes, cut, notes?}} or {error}',
});

/** One read-only statement on the lakehouse: as one answer within its bytes, or as lines that the client paces. */
export function queryRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.post(
    '/v1/query',
    {
      schema: {
        operationId: 'query',
        summary:
          `One read-only SQL statement on the lakehouse: up to ${LIMITS.LAKE_ANSWER_BYTES_MAX / MIB} MiB as JSON, or up ` +
          `to ${LIMITS.LAKE_STREAM_BYTES_MAX / MIB} MiB as lines (Accept: ${NDJSON})`,
        tags: ['memory'],
        body: QueryBody,
        response: {
          200: {
            description: 'the rows',
            content: { 'application/json': { schema: RowsView }, [NDJSON]: { schema: Lines } },
          },
          ...errors,
        },
      },
    },
    async (request, reply) => {
      const { sql, limit = 1_000 } = request.body as Static<typeof QueryBody>;
      const { tenant, principal } = callerOf(request);
      const by = { tenant, principal };
      const body: LakeQueryRequest = { sql, limit, timeoutMs: LIMITS.LAKE_QUERY_MS, by };
      if (wantsLines(request.headers.accept))
        return reply.type(`${NDJSON}; charset=utf-8`).send(await queryLines(bus, body));
      // The lake has a deadline of its own; the one here is later, so that its better message arrives.
      return bus.request('memory', METHODS.memory.query, body, LIMITS.LAKE_QUERY_MS + 3_000);
    },
  );
}
