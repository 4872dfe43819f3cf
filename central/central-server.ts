import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import type { TlsOptions } from 'node:tls';
import { type Clock, EdgeError, LIMITS, type LinkHello, linger } from '../contract/index.ts';
import { urlOf } from '../io/listen.ts';
import { type Callers, shownBy } from './callers.ts';
import { Connections } from './connections.ts';
import type { Coordinator } from './coordinator.ts';
import type { Enrolment } from './enrolment.ts';
import { readJson } from './http-body.ts';
import type { ObjectDesk } from './object-desk.ts';
import { type Answer, objectAnswer } from './object-routes.ts';
import type { OrderQueue } from './order-queue.ts';
import type { Presence } from './presence-rows.ts';
import { refusalOf } from './refusals.ts';
import { ANYBODY, type Caller } from './require-own.ts';

export type CentralServerOptions = {
  readonly coordinator: Coordinator;
  readonly objects: ObjectDesk;
  readonly orders: OrderQueue;
  /** Robots that a broker says are there, or are no longer. */
  readonly presence: () => readonly Presence[];
  readonly callers: Callers;
  /** Undefined: plain HTTP, for loopback or behind a proxy that speaks TLS. */
  readonly tls: { readonly options: TlsOptions; readonly enrolment: Enrolment } | undefined;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Called with defects; the text never holds a token. */
  readonly report: (message: string, error: unknown) => void;
};

/** What says nothing about a robot needs no token: a robot asks it before it knows what else to send. */
const HELLO = 'GET /link/v2/hello';
const ENROL = 'POST /link/v2/enrol';
const RENEW = 'POST /link/v2/renew';
/** Robots that enrol and renew show who they are in the body and the certificate. */
const OPEN_TO_ALL: ReadonlySet<string> = new Set(['GET /health', HELLO, ENROL, RENEW]);
const HELLO_ANSWER = {
  versions: [1, 2],
  encodings: ['zstd'],
  part_bytes_max: LIMITS.LINK_PART_BYTES_MAX,
} satisfies LinkHello;

/** `by`: the robot, or `operator`: the operator whose credentials were sent; undefined: none are required. */
type Endpoint = (
  request: IncomingMessage,
  query: URLSearchParams,
  by: Caller,
  operator: string | undefined,
) => Promise<string> | string;

/** The coordinator over HTTP, by LINK.md. Node's own server: Fastify belongs to the API of the daemon. */
export class CentralServer {
  readonly #options: CentralServerOptions;
  readonly #server: Server | TlsServer;
  readonly #connections = new Connections();
  readonly #endpoints: ReadonlyMap<string, Endpoint>;

  constructor(options: CentralServerOptions) {
    this.#options = options;
    const { coordinator, orders, presence, tls } = options;
    const json = (value: unknown) => JSON.stringify(value);
    this.#endpoints = new Map<string, Endpoint>([
      ['GET /health', () => json({ status: 'ok' })],
      ['GET /link/v1/key', () => json(coordinator.key())],
      [HELLO, () => json(HELLO_ANSWER)],
      ['POST /link/v1/push', async (request, _, by) => json(coordinator.push(await readJson(request), by))],
      ['GET /link/v1/watermark', (_, query, by) => json(coordinator.watermark(query, by))],
      [
        'GET /link/v1/robots',
        (_, __, by) =>
          json({
            ...coordinator.robots(by),
            presence: presence().filter(({ robot }) => by.mayActFor(robot)),
          }),
      ],
      ['GET /link/v1/events', (_, query, by) => coordinator.events(query, by)],
      ['GET /link/v1/orders', async (_, query, by) => json(await orders.orders(query, by))],
      ['POST /link/v1/reports', async (request, _, by) => json(orders.report(await readJson(request), by))],
      ['POST /orders/v1', async (request, _, __, by) => json(orders.post(await readJson(request), by))],
      ['GET /orders/v1', (_, query) => json(orders.list(query))],
      [ENROL, async (request) => json(await this.#enrolment().enrol(await readJson(request)))],
      [
        RENEW,
        async (request) => json(await this.#enrolment().renew(await readJson(request), shownBy(request))),
      ],
    ]);
    const times = {
      headersTimeout: LIMITS.API_HEADERS_MS,
      requestTimeout: LIMITS.API_REQUEST_MS,
      keepAliveTimeout: LIMITS.CENTRAL_KEEP_ALIVE_MS,
      connectionsCheckingInterval: 1_000,
    };
    const serve = (request: IncomingMessage, response: ServerResponse) => void this.#serve(request, response);
    this.#server = tls
      ? createTlsServer({ ...times, ...tls.options, handshakeTimeout: LIMITS.API_HEADERS_MS }, serve)
      : createServer(times, serve);
    this.#connections.watch(this.#server);
    this.#server.maxConnections = LIMITS.CENTRAL_CONNECTIONS_MAX;
  }

  /** Listens; rejects with `host.port_in_use`. */
  start(): Promise<{ readonly url: string }> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => reject(listenError(cause as NodeJS.ErrnoException, host, port)));
      this.#server.listen(port, host, () => {
        const url = urlOf(this.#server);
        resolve({ url: this.#options.tls ? url.replace(/^http:/, 'https:') : url });
      });
    });
  }

  /** A newer certificate, for connections from now on. */
  useCertificate(options: TlsOptions): void {
    if ('setSecureContext' in this.#server) this.#server.setSecureContext(options);
  }

  stop(): Promise<void> {
    this.#options.orders.close();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { status, body, headers } = await this.#answer(request);
    // What was refused is let in, so that the robot reads why, and not a broken connection; above the limit only for a
    // while, and the connection ends with the answer.
    if (!request.complete) {
      request.resume();
      if (status === 413) {
        linger(request.socket, this.#options.clock, LIMITS.API_LINGER_MS);
        response.setHeader('connection', 'close');
      }
    }
    if (status === 401) response.setHeader('www-authenticate', 'Bearer');
    // Robots pay for each byte of a head; what browsers and caches need is for the others.
    const isLink = request.url?.startsWith('/link/') === true;
    response.sendDate = !isLink;
    response.writeHead(status, {
      'content-type': isLink ? 'application/json' : 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      ...(isLink && request.method !== 'GET' ? {} : { 'cache-control': 'no-store' }),
      ...(isLink ? {} : { 'x-content-type-options': 'nosniff' }),
      ...headers,
    });
    response.end(body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { callers } = this.#options;
    try {
      const [path = '', search = ''] = (request.url ?? '').split('?', 2);
      const name = `${request.method} ${path}`;
      const endpoint = this.#endpoints.get(name);
      // A robot may push and fetch, but give no orders to another robot.
      const isOperators = path.startsWith('/orders/') || path.startsWith('/objects/');
      const operator = isOperators ? callers.operator(request) : undefined;
      const by = isOperators || OPEN_TO_ALL.has(name) ? ANYBODY : callers.robot(request);
      if (!OPEN_TO_ALL.has(name)) this.#connections.known(request.socket);
      const query = new URLSearchParams(search);
      if (endpoint) return { status: 200, body: await endpoint(request, query, by, operator) };
      const answer = await objectAnswer(this.#options.objects, request, path, query, by);
      if (answer) return answer;
      throw new EdgeError('api.not_found', {
        operation: String(request.method),
        subject: path.slice(0, 256),
        hint: 'LINK.md lists the endpoints',
      });
    } catch (thrown) {
      const { coordinator, report } = this.#options;
      return refusalOf(thrown, coordinator, report);
    }
  }

  #enrolment(): Enrolment {
    const { tls } = this.#options;
    if (tls) return tls.enrolment;
    throw new EdgeError('link.refused', {
      operation: 'enrol robot',
      subject: 'coordinator',
      message: 'this coordinator has no TLS, so that robots cannot show certificates',
      hint: 'auraison central --tls',
    });
  }
}

function listenError(cause: NodeJS.ErrnoException, host: string, port: number): EdgeError {
  const taken = cause.code === 'EADDRINUSE';
  return new EdgeError(taken ? 'host.port_in_use' : 'host.missing', {
    operation: 'open coordinator',
    subject: `${host}:${port}`,
    message: taken ? `port ${port} is taken` : cause.message,
    hint: 'choose another port with --port (0 picks a free one)',
    cause,
  });
}
