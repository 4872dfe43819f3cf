import type { IncomingMessage } from 'node:http';
import { EdgeError, LIMITS, parseJson } from '../contract/index.ts';

/**
 * Reads a JSON body. Refuses by its declared length before a byte is read, and by its real length while it
 * is read. Throws `api.too_large` or `schema.invalid`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) throw refuse('schema.invalid', '/: a JSON body expected');
  const limit = LIMITS.CENTRAL_BODY_BYTES_MAX;
  const tooLarge = () => refuse('api.too_large', `the body is above ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed where it is too large: the client could not get the reason then.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch {
    throw refuse('schema.invalid', '/: not JSON in UTF-8');
  }
}

function refuse(code: 'schema.invalid' | 'api.too_large', message: string): EdgeError {
  return new EdgeError(code, { operation: 'read request', subject: 'request body', message });
}
