import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type Clock, LIMITS, parseJson } from '../../../contract/index.ts';
import { listen, urlOf } from '../../../io/listen.ts';
import { McpEndpoint } from './mcp-endpoint.ts';
import type { McpOffer } from './offer.ts';

/** An MCP server for one agent: an address of this host and a token that opens nothing else. */
export type RunDoor = {
  /** Of the server; MCP is at its `/mcp`. */
  readonly url: string;
  readonly token: string;
  /** Nothing is answered after this; calls in progress end with their connections. */
  close(): Promise<void>;
};

/** Connections at once, of one agent. */
const CONNECTIONS_MAX = 32;

/** Serves an offer on a free port of this host. Rejects where no port is available. */
export async function openRunDoor(
  clock: Clock,
  offer: McpOffer,
  report: (message: string, facts: Record<string, unknown>) => void,
): Promise<RunDoor> {
  const token = randomBytes(32).toString('base64url');
  const endpoint = new McpEndpoint(clock, offer, report);
  const server = createServer((request, response) => void answer(request, response));
  server.maxConnections = CONNECTIONS_MAX;
  const hosts = new Set<string>();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const { url, headers, method } = request;
    const host = headers.host !== undefined && hosts.has(headers.host);
    if (!host || headers.origin !== undefined) return refuse(response, 403);
    if (!same(headers.authorization, `Bearer ${token}`)) return refuse(response, 401);
    if (url?.split('?')[0] !== '/mcp') return refuse(response, 404);
    const body = method === 'POST' ? await bodyOf(request) : { json: undefined };
    if (!body) return refuse(response, 400);
    await endpoint.handle(request, response, body.json);
  };
  await listen(server, { host: '127.0.0.1', port: 0 }, { who: 'tools of a run', hint: 'free a port' });
  const address = urlOf(server);
  hosts.add(new URL(address).host);
  return {
    ...{ url: address, token },
    async close() {
      server.closeAllConnections();
      await Promise.all([endpoint.close(), new Promise<void>((done) => server.close(() => done()))]);
    },
  };
}

/** The parsed body; `undefined`: it is too large, broken off, or not JSON. */
async function bodyOf(request: IncomingMessage): Promise<{ readonly json: unknown } | undefined> {
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > LIMITS.API_BODY_BYTES_MAX) return undefined;
      parts.push(part);
    }
    return { json: parseJson(Buffer.concat(parts).toString()) as unknown };
  } catch {
    return undefined;
  }
}

function same(given: string | undefined, expected: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return given !== undefined && timingSafeEqual(digest(given), digest(expected));
}

function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32000, message: 'refused' }, id: null }));
}
