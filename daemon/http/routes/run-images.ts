import { setImmediate as nextTurn } from 'node:timers/promises';
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
/** Each may have 64 KiB. Between two pages other requests have their turn, stops first of all. */
const EVENTS_AT_ONCE = 8;
/** Lookups that may wait for their turn. */
const WAITING_MAX = 64;

/** Images that tools of a run returned, as its events name them. */
export function runImageRoutes(app: FastifyInstance, ports: HttpPorts, logs: LogReaders): void {
  const look = inTurn();
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
      const mime = await look(() => mimeOf(logs, id, sha256));
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

/** One lookup at a time, however many ask. */
function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (work) => {
    if (waiting >= WAITING_MAX)
      throw new EdgeError('cell.overloaded', {
        ...{ operation: 'read image', subject: 'api', message: 'too many images are asked for at a time' },
      });
    waiting += 1;
    const done = last.then(work).finally(() => {
      waiting -= 1;
    });
    last = done.catch(() => {});
    return await done;
  };
}

async function mimeOf(logs: LogReaders, runId: string, sha256: string): Promise<string | undefined> {
  const filter = { runId, kinds: ['tool.returned' as const] };
  for (let after = 0; ; ) {
    const events = logs.with('runtime', [], (reader) => reader.read(after, EVENTS_AT_ONCE, filter));
    for (const event of events) {
      const { images } = event.payload as { images?: readonly { mime: string; sha256: string }[] };
      const found = images?.find((image) => image.sha256 === sha256);
      if (found) return found.mime;
    }
    const [last] = events.slice(-1);
    if (last === undefined) return undefined;
    after = last.seq;
    await nextTurn();
  }
}
