import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { McpHttpHandler, Server } from '@modelcontextprotocol/server';
import { type Clock, LIMITS, type Timer } from '../../../contract/index.ts';
import { mcpSession } from './mcp-session.ts';
import type { McpOffer } from './offer.ts';

type Vendors = {
  readonly server: typeof import('@modelcontextprotocol/server');
  readonly node: typeof import('@modelcontextprotocol/node');
};

type Session = {
  readonly server: Server;
  readonly transport: NodeStreamableHTTPServerTransport;
  idle: Timer | undefined;
  open: number;
};

const SESSION = 'mcp-session-id';
const JSON_TYPE = { 'content-type': 'application/json' };

/**
 * This robot as an MCP server over streamable HTTP, for clients of 2025 (sessions) and of 2026 (no sessions). Access is
 * checked before. The SDK is loaded with the first request. Sessions are bounded: beyond the limit the one idle for
 * longest is ended, and each ends after a time without requests.
 */
export class McpEndpoint {
  readonly #clock: Clock;
  readonly #offer: McpOffer;
  readonly #report: (message: string, facts: Record<string, unknown>) => void;
  readonly #sessions = new Map<string, Session>();
  #vendors: Promise<Vendors> | undefined;
  #modern: McpHttpHandler | undefined;
  #closing = false;

  constructor(
    clock: Clock,
    offer: McpOffer,
    report: (message: string, facts: Record<string, unknown>) => void,
  ) {
    this.#clock = clock;
    this.#offer = offer;
    this.#report = report;
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  /** Sends the answer itself, also when it fails. `body` is the parsed body of a POST. */
  readonly handle = async (
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> => {
    try {
      if (this.#closing) return refuse(response, 503, -32000, 'the robot is going down');
      this.#vendors ??= load();
      const vendors = await this.#vendors;
      const legacy =
        request.method !== 'POST' ||
        (await vendors.server.isLegacyRequest(await vendors.node.toWebRequest(request as never, body), body));
      if (legacy) await this.#legacy(vendors, request, response, body);
      else await this.#serveModern(vendors, request, response, body);
    } catch (thrown) {
      const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      this.#report('an MCP request failed', { error });
      refuse(response, 500, -32603, 'a defect in this software');
    }
  };

  /** Ends every session; runs that clients waited for continue. */
  async close(): Promise<void> {
    this.#closing = true;
    await Promise.allSettled([
      this.#modern?.close(),
      ...[...this.#sessions.keys()].map((id) => this.#end(id)),
    ]);
  }

  async #serveModern(
    vendors: Vendors,
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> {
    this.#modern ??= vendors.server.createMcpHandler(() => this.#make(vendors, true), {
      legacy: 'reject',
      maxSubscriptions: LIMITS.MCP_SESSIONS_MAX,
      maxRequestBodySize: LIMITS.API_BODY_BYTES_MAX,
    });
    await vendors.node.toNodeHandler(this.#modern)(request as never, response as never, body);
  }

  async #legacy(
    vendors: Vendors,
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> {
    const id = request.headers[SESSION];
    if (typeof id === 'string') {
      const session = this.#sessions.get(id);
      if (!session) return refuse(response, 404, -32001, 'Session not found');
      return await this.#serve(session, request, response, body);
    }
    if (request.method !== 'POST' || !hasInitialize(vendors, body)) {
      return refuse(response, 400, -32000, 'Bad Request: Mcp-Session-Id header is required');
    }
    await this.#serve(await this.#open(vendors), request, response, body);
  }

  async #serve(
    session: Session,
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> {
    session.open++;
    session.idle?.cancel();
    response.once('close', () => {
      session.open--;
      this.#rest(session);
    });
    await session.transport.handleRequest(request, response, request.method === 'POST' ? body : undefined);
    // An initialize that was refused opened no session.
    if (session.transport.sessionId === undefined) await session.server.close();
  }

  async #open(vendors: Vendors): Promise<Session> {
    const server = this.#make(vendors, false);
    const transport = new vendors.node.NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: async (id) => {
        if (this.#sessions.size >= LIMITS.MCP_SESSIONS_MAX) await this.#endOldest();
        this.#sessions.set(id, session);
        this.#rest(session);
      },
      onsessionclosed: (id) => void this.#sessions.delete(id),
    });
    const session: Session = { server, transport, idle: undefined, open: 0 };
    await server.connect(transport);
    return session;
  }

  #make(vendors: Vendors, modern: boolean): Server {
    const { server: sdk } = vendors;
    return mcpSession({ sdk, clock: this.#clock, offer: this.#offer, closing: () => this.#closing, modern });
  }

  /** The order of the map is the order in which sessions were last used. */
  #rest(session: Session): void {
    const id = session.transport.sessionId;
    if (id === undefined || !this.#sessions.has(id)) return;
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    session.idle?.cancel();
    session.idle = undefined;
    if (session.open === 0)
      session.idle = this.#clock.after(LIMITS.MCP_SESSION_IDLE_MS, () => void this.#end(id).catch(() => {}));
  }

  async #endOldest(): Promise<void> {
    const resting = [...this.#sessions].find(([, session]) => session.open === 0) ?? [...this.#sessions][0];
    if (resting) await this.#end(resting[0]);
  }

  async #end(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    session.idle?.cancel();
    await session.server.close();
  }
}

async function load(): Promise<Vendors> {
  const [server, node] = await Promise.all([
    import('@modelcontextprotocol/server'),
    import('@modelcontextprotocol/node'),
  ]);
  return { server, node };
}

function hasInitialize({ server }: Vendors, body: unknown): boolean {
  return (Array.isArray(body) ? body : [body]).some((message) => server.isInitializeRequest(message));
}

function refuse(response: ServerResponse, status: number, code: number, message: string): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, JSON_TYPE);
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code, message }, id: null }));
}
