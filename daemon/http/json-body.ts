import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseJson } from '../../contract/core.ts';

type Done = (error: Error | null, value?: unknown) => void;

/** The parser of JSON bodies: what Fastify refuses is refused, and each key is as it is written (`parseJson`). */
export function jsonBody(app: FastifyInstance): (request: FastifyRequest, body: string, done: Done) => void {
  const parse = app.getDefaultJsonParser('error', 'error');
  return (request, body, done) =>
    void parse(request, body, (error, value) =>
      done(error, !error && body.includes('\\') ? parseJson(body) : value),
    );
}
