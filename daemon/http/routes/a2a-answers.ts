import type { FastifyReply, FastifyRequest } from 'fastify';
import { LIMITS, type PolicyContext } from '../../../contract/index.ts';

/** The caller's name and roles stay; that it came by this protocol is the origin. */
export function a2aCaller(caller: PolicyContext): PolicyContext {
  return { ...caller, roles: [...caller.roles], origin: 'a2a' };
}

/** Aborts when the client has gone. */
export function goneOf(reply: FastifyReply): {
  readonly gone: AbortController;
  readonly signal: AbortSignal;
} {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return { gone, signal: gone.signal };
}

/** A stream of events until it ends, the client has gone, or it takes nothing. */
export async function sendEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  gone: AbortController,
  events: AsyncIterable<object>,
  textOf: (event: object) => string,
): Promise<void> {
  reply.hijack();
  const { raw } = reply;
  raw.on('error', () => gone.abort());
  raw.writeHead(200, {
    ...{ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    ...{ 'x-content-type-options': 'nosniff', 'x-request-id': request.id },
  });
  // What a slow client has not taken is the state of a run, which is small and comes when it changes.
  for await (const event of events) {
    if (gone.signal.aborted) break;
    raw.write(textOf(event));
    if (raw.writableLength > LIMITS.API_BODY_BYTES_MAX) break;
  }
  raw.end();
}
