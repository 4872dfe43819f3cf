import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EdgeError, type PolicyDesk, type PolicySession, type Timer } from '../../contract/core.ts';
import { WireCounts } from '../../formats/policy-wire/wire-counts.ts';
import {
  questionBytesMax,
  sameToken,
  type WireServer,
  type WireServerOptions,
  type WireServerView,
} from '../../formats/policy-wire/wire-server.ts';
import { listen } from '../../io/listen.ts';
import { type WebSocket, WebSocketServer } from '../../io/web-socket.ts';
import { OpenPiClient } from './openpi-client.ts';

/** A client that answers no ping for two of these is gone, milliseconds. */
const PING_MS = 20_000;
/** Its request for a connection must be complete by then, milliseconds. */
const HEADERS_MS = 10_000;
/** One that was turned away has this long to read why, milliseconds. */
const FAREWELL_MS = 1_000;

/**
 * The policies of a desk for clients of openpi. `ws://host:port/` is the default policy, `/<name>` another one. Each
 * connection is a session of its own. Rejects with `host.port_in_use`.
 */
export class OpenPiServer implements WireServer {
  readonly #desk: PolicyDesk;
  readonly #options: WireServerOptions;
  readonly #http: Server;
  /** All of them: of one that was upgraded, or turned away, the HTTP server no longer knows. */
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Map<WebSocket, OpenPiClient>();
  #pings: Timer | undefined;
  readonly #counts: WireCounts;

  private constructor(desk: PolicyDesk, options: WireServerOptions) {
    this.#desk = desk;
    this.#options = options;
    this.#counts = new WireCounts('openpi', options.host);
    this.#http = createServer(
      { headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS },
      (request, response) => {
        const healthy = request.method === 'GET' && request.url === '/healthz';
        response.writeHead(healthy ? 200 : 426, { 'content-type': 'text/plain', connection: 'close' });
        response.end(healthy ? 'OK\n' : 'This is a WebSocket server of policies (openpi).\n');
      },
    );
    // Sockets that never become clients are bounded too.
    this.#http.maxConnections = options.clientsMax + 16;
    this.#http.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(desk: PolicyDesk, options: WireServerOptions): Promise<OpenPiServer> {
    const server = new OpenPiServer(desk, options);
    await listen(server.#http, options, { who: 'openpi', hint: 'choose another serve.openpi_listen' });
    server.#pings = options.clock.every(PING_MS, () => {
      for (const client of server.#clients.values()) client.ping();
    });
    return server;
  }

  view(): WireServerView {
    const address = this.#http.address() as AddressInfo | null;
    return this.#counts.view(address?.port ?? 0, this.#clients.size);
  }

  async close(): Promise<void> {
    this.#pings?.cancel();
    for (const client of this.#clients.keys()) client.terminate();
    await new Promise<void>((resolve) => {
      this.#http.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const name = `${request.socket.remoteAddress}:${request.socket.remotePort}`;
    const session = this.#admit(request, name);
    if (session instanceof EdgeError) {
      this.#turnAway(session, socket, name);
      return;
    }
    // One per connection, since what a question may have depends on the policies there are now.
    const upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: questionBytesMax(this.#desk),
    });
    // A listener of this event has to close the socket: nothing else does, and the places for sockets are counted.
    upgrader.on('wsClientError', (cause) => {
      void session.close().catch(() => {});
      this.#turnAway(refusal('wire.refused', name, cause.message), socket, name);
    });
    upgrader.handleUpgrade(request, socket, head, (ws) => this.#serve(ws, session, name));
  }

  #turnAway(error: EdgeError, socket: Duplex, name: string): void {
    this.#counts.refused += 1;
    this.#options.onFault(error, name);
    const body = `${error.code}: ${error.message}\n`;
    const lines = [
      `HTTP/1.1 ${STATUS[error.code] ?? '503 Service Unavailable'}`,
      ...['connection: close', 'content-type: text/plain', `content-length: ${Buffer.byteLength(body)}`],
    ];
    socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`);
    // It may read why; if it does not hang up by then, we do.
    const timer = this.#options.clock.after(FAREWELL_MS, () => socket.destroy());
    socket.once('close', () => timer.cancel());
  }

  /** A place at the policy that the path names, or why it gets none. */
  #admit(request: IncomingMessage, name: string): PolicySession | EdgeError {
    const { token, clientsMax } = this.#options;
    if (token !== undefined && !sameToken(keyOf(request), token))
      return refusal('api.unauthorised', name, 'a header is wanted: "Authorization: Api-Key <token>"');
    // A page in a browser cannot set that header; without a token it must not get in by being on this host.
    if (token === undefined && request.headers.origin !== undefined)
      return refusal('api.forbidden', name, 'requests from web pages are refused');
    if (this.#clients.size >= clientsMax)
      return refusal('cell.overloaded', name, `${clientsMax} clients are already connected`);
    const caller = {
      id: `openpi/${name}`,
      wire: 'openpi' as const,
      principal: token === undefined ? 'anonymous' : 'token',
    };
    let session: PolicySession | undefined;
    try {
      const path = new URL(request.url ?? '/', 'ws://host').pathname.replace(/^\/+|\/+$/g, '');
      session = this.#desk.open(caller, path === '' ? undefined : decodeURIComponent(path));
      session.describe();
      return session;
    } catch (thrown) {
      void session?.close();
      return EdgeError.from(thrown, 'model.unavailable', 'open session', name);
    }
  }

  #serve(ws: WebSocket, session: PolicySession, name: string): void {
    const { keys, deadlineMs, clock, onFault } = this.#options;
    const client = new OpenPiClient(ws, session, {
      keys,
      deadlineMs,
      clock,
      onQuestion: () => {
        this.#counts.questions += 1;
      },
      onFault: (error) => {
        this.#counts.failures += 1;
        onFault(error, name);
      },
    });
    this.#clients.set(ws, client);
    ws.on('close', () => {
      this.#clients.delete(ws);
      void session.close().catch(() => {});
    });
    client.begin();
  }
}

function keyOf(request: IncomingMessage): string | undefined {
  return /^Api-Key (.+)$/i.exec(request.headers.authorization ?? '')?.[1]?.trim();
}

const STATUS: Readonly<Record<string, string>> = {
  'api.unauthorised': '401 Unauthorized',
  'api.forbidden': '403 Forbidden',
  'model.not_found': '404 Not Found',
  'wire.refused': '400 Bad Request',
};

function refusal(
  code: 'api.unauthorised' | 'api.forbidden' | 'cell.overloaded' | 'wire.refused',
  subject: string,
  message: string,
): EdgeError {
  return new EdgeError(code, { operation: 'connect', subject, message });
}
