import type { FastifyInstance } from 'fastify';
import { EdgeError, LIMITS, withDeadline } from '../../../contract/index.ts';
import { type Static, Type } from '../../../contract/schema-kit.ts';
import type { HttpPorts } from '../http-ports.ts';
import type { LogReaders } from '../log-readers.ts';
import { asText, errors, RunParams } from '../schemas.ts';

const closed = { additionalProperties: false } as const;
const Params = Type.Object(
  {
    ...RunParams.properties,
    sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'as the event names it' }),
  },
  closed,
);
const EVENTS_AT_ONCE = 256;

/** Images that tools of a run returned, as its events name them. */
export function runImageRoutes(app: FastifyInstance, ports: HttpPorts, logs: LogReaders): void {
  app.get(
    '/v1/runs/:id/images/:sha256',
    {
      schema: {
        operationId: 'getRunImage',
        summary:
          'An image that a tool returned to this run; 404 where no event of the run names it, or it is gone',
        tags: ['runs'],
        params: Params,
        response: { 200: asText(['image/jpeg', 'image/png'], 'the image'), ...errors },
      },
    },
    async (request, reply) => {
      const { id, sha256 } = request.params as Static<typeof Params>;
      ports.runtime.run(id);
      const mime = mimeOf(logs, id, sha256);
      const asked = mime === undefined ? undefined : ports.blob?.(sha256);
      const bytes =
        asked && (await withDeadline(ports.clock, LIMITS.API_REQUEST_MS, asked, 'read image', id));
      if (mime === undefined || bytes === undefined)
        throw new EdgeError('api.not_found', {
          operation: 'read image',
          subject: sha256,
          message: mime === undefined ? 'no event of this run names it' : 'it was removed to make room',
        });
      // Named by its content.
      return reply
        .type(mime)
        .header('cache-control', 'private, max-age=31536000, immutable')
        .send(Buffer.from(bytes));
    },
  );
}

function mimeOf(logs: LogReaders, runId: string, sha256: string): string | undefined {
  return logs.with<string | undefined>('runtime', undefined, (reader) => {
    const filter = { runId, kinds: ['tool.returned' as const] };
    for (let after = 0; ; ) {
      const events = reader.read(after, EVENTS_AT_ONCE, filter);
      const [last] = events.slice(-1);
      if (last === undefined) return undefined;
      for (const event of events) {
        const { images } = event.payload as { images?: readonly { mime: string; sha256: string }[] };
        const found = images?.find((image) => image.sha256 === sha256);
        if (found) return found.mime;
      }
      after = last.seq;
    }
  });
}
