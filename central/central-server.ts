import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  type Clock,
  EdgeError,
  type ErrorCode,
  LIMITS,
  type LinkHello,
  type LinkReceipt,
  linger,
} from '../contract/index.ts';
import { urlOf } from '../io/listen.ts';
import type { Coordinator } from './coordinator.ts';
import { readJson } from './http-body.ts';
import { LaneRefusal } from './lane-store.ts';
import type { ObjectDesk } from './object-desk.ts';
import { type Answer, objectAnswer } from './object-routes.ts';
import type { Operators } from './operators.ts';
import type { OrderQueue } from './order-queue.ts';
import { ANYBODY, type Caller } from './require-own.ts';
import type { Robots } from './robots.ts';

export type CentralServerOptions = {
  readonly coordinator: Coordinator;
  readonly objects: ObjectDesk;
  readonly orders: OrderQueue;
  /** The token of clients that may give orders to robots. Undefined with `robots`. */
  readonly operators: Operators | undefined;
  /** Undefined: no token is required; the caller must then use a loopback address. */
  readonly robots: Robots | undefined;
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Called with defects; the text never holds a token. */
  readonly report: (message: string, error: unknown) => void;
};

/** What says nothing about a robot needs no token: a robot asks it before it knows what else to send. */
const HELLO = 'GET /link/v2/hello';
const OPEN_TO_ALL: ReadonlySet<string> = new Set(['GET /health', HELLO]);
const HELLO_ANSWER = {
  versions: [1, 2],
  encodings: ['zstd'],
  part_bytes_max: LIMITS.LINK_PART_BYTES_MAX,
} satisfies LinkHello;

const STATUS: Partial<Record<ErrorCode, number>> = {
  'schema.invalid': 400,
  'log.tampered': 400,
  'api.unauthorised': 401,
  'api.forbidden': 403,
  'api.not_found': 404,
  'link.refused': 400,
  'link.gap': 409,
  'link.conflict': 409,
  'api.too_large': 413,
  'cell.overloaded': 429,
  'quota.exceeded': 507,
};

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
  readonly #server: Server;
  readonly #endpoints: ReadonlyMap<string, Endpoint>;

  constructor(options: CentralServerOptions) {
    this.#options = options;
    const { coordinator, orders } = options;
    const json = (value: unknown) => JSON.stringify(value);
    this.#endpoints = new Map<string, Endpoint>([
      ['GET /health', () => json({ status: 'ok' })],
      ['GET /link/v1/key', () => json(coordinator.key())],
      [HELLO, () => json(HELLO_ANSWER)],
      ['POST /link/v1/push', async (request, _, by) => json(coordinator.push(await readJson(request), by))],
      ['GET /link/v1/watermark', (_, query, by) => json(coordinator.watermark(query, by))],
      ['GET /link/v1/robots', (_, __, by) => json(coordinator.robots(by))],
      ['GET /link/v1/events', (_, query, by) => coordinator.events(query, by)],
      ['GET /link/v1/orders', async (_, query, by) => json(await orders.orders(query, by))],
      ['POST /link/v1/reports', async (request, _, by) => json(orders.report(await readJson(request), by))],
      ['POST /orders/v1', async (request, _, __, by) => json(orders.post(await readJson(request), by))],
      ['GET /orders/v1', (_, query) => json(orders.list(query))],
    ]);
    this.#server = createServer(
      {
        headersTimeout: LIMITS.API_HEADERS_MS,
        requestTimeout: LIMITS.API_REQUEST_MS,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#serve(request, response),
    );
    this.#server.maxConnections = LIMITS.API_CONNECTIONS_MAX;
  }

  /** Listens; rejects with `host.port_in_use`. */
  start(): Promise<{ readonly url: string }> {
    const { host, port } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) => reject(listenError(cause as NodeJS.ErrnoException, host, port)));
      this.#server.listen(port, host, () => {
        resolve({ url: urlOf(this.#server) });
      });
    });
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
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
    });
    response.end(body);
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    try {
      const [path = '', search = ''] = (request.url ?? '').split('?', 2);
      const name = `${request.method} ${path}`;
      const endpoint = this.#endpoints.get(name);
      // A robot may push and fetch, but give no orders to another robot.
      const isOperators = path.startsWith('/orders/') || path.startsWith('/objects/');
      const operator = isOperators ? this.#operator(request) : undefined;
      const by = isOperators || OPEN_TO_ALL.has(name) ? ANYBODY : this.#robot(request);
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
      return this.#refuse(thrown);
    }
  }

  #refuse(thrown: unknown): Answer {
    if (thrown instanceof LaneRefusal) {
      const watermark: LinkReceipt | null = this.#options.coordinator.receipt(thrown.held) ?? null;
      return { status: 409, body: JSON.stringify({ ...thrown.error.toBody(), watermark }) };
    }
    if (thrown instanceof EdgeError) {
      return { status: STATUS[thrown.code] ?? 500, body: JSON.stringify(thrown.toBody()) };
    }
    this.#options.report('request failed', thrown);
    const fault = new EdgeError('internal.fault', {
      operation: 'answer',
      subject: 'request',
      retryable: true,
    });
    return { status: 500, body: JSON.stringify(fault.toBody()) };
  }

  #robot(request: IncomingMessage): Caller {
    const { robots } = this.#options;
    if (!robots) return ANYBODY;
    const found = robots.find(bearer(request) ?? '');
    if (!found) throw unauthorised();
    return found;
  }

  /** The operator; undefined where no token is required. */
  #operator(request: IncomingMessage): string | undefined {
    const { operators } = this.#options;
    if (!operators) return undefined;
    const name = operators.find(bearer(request) ?? '');
    if (name === undefined) throw unauthorised();
    return name;
  }
}

function bearer(request: IncomingMessage): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? '')?.[1];
}

function unauthorised(): EdgeError {
  return new EdgeError('api.unauthorised', {
    operation: 'authorise',
    subject: 'authorization header',
    hint: 'tokens are in the files "token" and robots/NAME (robots), "operator-token" and operators/NAME (orders) of the coordinator\'s data directory',
  });
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
