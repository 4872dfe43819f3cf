import type { FastifyInstance } from 'fastify';
import { LIMITS, METHODS } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import { errors } from '../schemas.ts';

const SyncBody = Type.Object(
  {
    timeout_ms: Type.Optional(
      Type.Integer({ minimum: 1, maximum: LIMITS.LINK_SYNC_MS_MAX, description: 'default 10000' }),
    ),
  },
  { additionalProperties: false },
);

const SyncView = Type.Object({
  state: Type.Enum(['off', 'connected', 'disconnected']),
  reason: Type.String({ description: 'why it is not connected; empty when it is' }),
  behind: Type.Integer({
    minimum: 0,
    description: 'events logged when it was asked that central has not acknowledged',
  }),
  lanes: Type.Object({}, { additionalProperties: true }),
});

const LinkView = Type.Object({
  state: Type.Enum(['off', 'connected', 'disconnected']),
  reason: Type.String({ description: 'why it is not connected; empty when it is' }),
  lanes: Type.Object(
    {},
    { additionalProperties: true, description: 'events: sent and last sequence of each' },
  ),
  files: Type.Optional(
    Type.Object(
      {},
      {
        additionalProperties: true,
        description:
          'files: of each lane what waits and what central holds; the current one with bytes a second; left_s: seconds for all',
      },
    ),
  ),
  downlink: Type.Optional(Type.Object({}, { additionalProperties: true })),
});

/** The way to central: what is on it, and ask it to try now instead of at the end of its back-off. */
export function linkRoutes(app: FastifyInstance, { bus }: HttpPorts): void {
  app.get(
    '/v1/link',
    {
      schema: {
        operationId: 'getLink',
        summary: 'What central has of the logs and recordings, and what is on its way',
        tags: ['link'],
        response: { 200: LinkView, ...errors },
      },
    },
    async () => {
      const { ready: _, ...status } = await bus.request('link', METHODS.link.status, {});
      return status;
    },
  );
  app.post(
    '/v1/link/sync',
    {
      schema: {
        operationId: 'syncLink',
        summary:
          'Ends a back-off and sends what central does not have; answers when all is acknowledged or time is up',
        tags: ['link'],
        body: SyncBody,
        response: { 200: SyncView, ...errors },
      },
    },
    async (request) => {
      const { timeout_ms = LIMITS.LINK_REQUEST_MS } = request.body as Static<typeof SyncBody>;
      const ask = { timeoutMs: timeout_ms };
      const { state, reason, behind, lanes } = await bus.request(
        'link',
        METHODS.link.sync,
        ask,
        timeout_ms + 2_000,
      );
      return { state, reason, behind, lanes };
    },
  );
}
