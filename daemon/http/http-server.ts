import { rm } from 'node:fs/promises';
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { EdgeError, LIMITS } from '../../contract/index.ts';
import { urlOf } from '../../io/listen.ts';
import { checkAccess } from './access.ts';
import { BrokenStops } from './broken-stops.ts';
import { callerOf, isOperator, setCaller } from './caller.ts';
import { CellsView } from './cells-view.ts';
import { Connections } from './connections.ts';
import { errorReply } from './error-reply.ts';
import { Gate } from './gate.ts';
import type { HttpConfig, HttpPorts } from './http-ports.ts';
import { jsonBody } from './json-body.ts';
import { isLiveUpgrade, LiveDoor } from './live-door.ts';
import { LogReaders } from './log-readers.ts';
import { Methods } from './methods.ts';
import { Metrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { ESTOP_PATH, meansStop } from './raw-head.ts';
import { a2aRoutes } from './routes/a2a.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { appRoutes } from './routes/apps.ts';
import { askRoutes } from './routes/ask.ts';
import { bagRoutes } from './routes/bags.ts';
import { configRoutes } from './routes/config.ts';
import { consoleRoutes } from './routes/console.ts';
import { consoleLoginRoutes } from './routes/console-login.ts';
import { controllerRoutes } from './routes/controllers.ts';
import { engineRoutes } from './routes/engine.ts';
import { eventRoutes } from './routes/events.ts';
import { extensionRoutes } from './routes/extensions.ts';
import { inferenceRoutes } from './routes/inference.ts';
import { lakeRoutes } from './routes/lake.ts';
import { linkRoutes } from './routes/link.ts';
import { linkDiskRoutes } from './routes/link-disk.ts';
import { mcpRoutes } from './routes/mcp.ts';
import { meRoutes } from './routes/me.ts';
import { modelRoutes } from './routes/models.ts';
import { motionRoutes } from './routes/motions.ts';
import { planRoutes } from './routes/plans.ts';
import { playRoutes } from './routes/plays.ts';
import { policyRoutes } from './routes/policy.ts';
import { queryRoutes } from './routes/query.ts';
import { questionRoutes } from './routes/questions.ts';
import { recallRoutes } from './routes/recall.ts';
import { recordingRoutes } from './routes/recording.ts';
import { replayRoutes } from './routes/replay.ts';
import { robotRoutes } from './routes/robot.ts';
import { rosRoutes } from './routes/ros.ts';
import { runControlRoutes } from './routes/run-control.ts';
import { runImageRoutes } from './routes/run-images.ts';
import { runRoutes } from './routes/runs.ts';
import { runtimeRoutes } from './routes/runtimes.ts';
import { safetyRoutes } from './routes/safety.ts';
import { sampleRouteRoutes } from './routes/sample-routes.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { sessionRoutes } from './routes/sessions.ts';
import { skillRoutes } from './routes/skills.ts';
import { statusRoutes } from './routes/status.ts';
import { topicRoutes } from './routes/topics.ts';
import { webhookRoutes } from './routes/webhooks.ts';
import { wireRoutes } from './routes/wires.ts';
import { isRuntimeUpgrade, RuntimeDoor } from './runtime-door.ts';
import { takeStopBody } from './stop-order.ts';
import { Streams } from './streams.ts';
import { ThawGuard } from './thaw-guard.ts';
import { toJson } from './to-json.ts';
import { compileValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token: holds nothing of the robot. */
    open?: boolean;
    /** Allowed for every token, with any body: the emergency stop. */
    undeniable?: boolean;
    /** Answered without a token too, with less; a token that is shown is checked. */
    openWithoutToken?: boolean;
    /** Without a token: its handler checks a signature. */
    signed?: boolean;
    /** Stops something: carried out with any body. */
    stops?: boolean;
    /** Whether a request with this body stops something: then it is carried out although all places are taken. */
    stopsWith?(body: unknown): boolean;
  }
}

const CONSOLE = new URL('../../console/built/', import.meta.url);
/** Given at the start and not set later: fastify would load compilers of its own first (ajv and others, 100 modules). */
const COMPILERS = {
  compilersFactory: { buildValidator: () => compileValidator, buildSerializer: () => () => toJson },
} as unknown as NonNullable<FastifyServerOptions['schemaController']>;
const REQUEST_ID = /^[A-Za-z0-9._-]{1,64}$/;

/** The API of one robot over HTTP. Make, start, stop: once each. */
export class HttpServer {
  readonly #ports: HttpPorts;
  readonly #config: HttpConfig;
  readonly #gate: Gate;
  readonly #logs: LogReaders;
  readonly #metrics = new Metrics();
  readonly #methods = new Methods();
  readonly #streams: Streams;
  readonly #cells: CellsView;
  readonly #connections: Connections;
  readonly #runtimes: RuntimeDoor | undefined;
  readonly #live: LiveDoor;
  /** Requests that got no place: their body shows whether they stop something. */
  readonly #placeless = new WeakSet<object>();
  #app: FastifyInstance | undefined;

  constructor(config: HttpConfig, ports: HttpPorts) {
    if (config.auth.kind === 'none' && config.socketPath === undefined && !isLoopback(config.host)) {
      throw new EdgeError('config.invalid', {
        operation: 'open API',
        subject: 'api.auth',
        message: `api.auth = "none" with api.host = "${config.host}": without a token the API stays on loopback`,
        hint: 'set api.auth = "token", or api.host = "127.0.0.1"',
      });
    }
    this.#config = config;
    this.#ports = ports;
    this.#gate = new Gate(config.auth, config.hostNames ?? []);
    this.#logs = new LogReaders(ports);
    this.#cells = new CellsView(ports.bus);
    this.#connections = new Connections(ports.clock);
    this.#streams = new Streams(ports, this.#logs, this.#metrics);
    const { runtimes, clock } = ports;
    const door = { gate: this.#gate, connections: this.#connections, clock };
    const local = config.socketPath !== undefined;
    this.#runtimes = runtimes && new RuntimeDoor({ ...door, runtimes, local });
    this.#live = new LiveDoor({ ...door, local, bus: ports.bus });
  }

  /** Listens; rejects with `host.port_in_use` where the address is taken. */
  async start(): Promise<{ readonly url: string }> {
    const app = await this.#build();
    this.#app = app;
    const { socketPath, host, port } = this.#config;
    try {
      if (socketPath !== undefined) {
        await rm(socketPath, { force: true });
        await app.listen({ path: socketPath });
        return { url: `unix:${socketPath}` };
      }
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      throw listenError(error, host, port);
    }
    return { url: urlOf(app.server) };
  }

  /** A log of this very process grew; broadcasts of the bus report the others. */
  logGrew(): void {
    this.#logs.wake();
  }

  /** Ends streams and connections; may be called twice and without a start. */
  async stop(): Promise<void> {
    const app = this.#app;
    this.#app = undefined;
    this.#streams.close();
    this.#runtimes?.close();
    this.#live.close();
    if (app) {
      const cut = this.#ports.clock.after(LIMITS.STREAM_FAREWELL_MS, () => app.server.closeAllConnections());
      await app.close();
      cut.cancel();
    }
    this.#connections.close();
    this.#logs.close();
  }

  async #build(): Promise<FastifyInstance> {
    const app = Fastify({
      logger: false,
      bodyLimit: LIMITS.API_BODY_BYTES_MAX,
      requestTimeout: LIMITS.API_REQUEST_MS,
      connectionTimeout: this.#config.stalledMs ?? LIMITS.API_STALLED_MS,
      // Longer than a client computes between two calls: one whose connection ends as it sends does not know whether its
      // request arrived.
      keepAliveTimeout: 30_000,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
      genReqId: (request) => {
        const given = request.headers['x-request-id'];
        return typeof given === 'string' && REQUEST_ID.test(given) ? given : this.#ports.requestId();
      },
      // A stop does not fail on how its path is written.
      rewriteUrl: ({ method, url }) => (meansStop(method, url) ? ESTOP_PATH : (url ?? '')),
      http: {
        // Who reaches a unix socket is asked for no host.
        requireHostHeader: this.#config.socketPath === undefined,
        ...{ headersTimeout: LIMITS.API_HEADERS_MS, connectionsCheckingInterval: 1_000 },
        shouldUpgradeCallback: (request) =>
          isLiveUpgrade(request) || (this.#runtimes !== undefined && isRuntimeUpgrade(request)),
      },
      routerOptions: { maxParamLength: 128 },
      schemaController: COMPILERS,
      frameworkErrors: (error, request, reply) => void this.#answerError(error, request, reply),
    });
    app.removeContentTypeParser('application/json');
    app.addContentTypeParser('application/json', { parseAs: 'string' }, jsonBody(app));
    app.server.maxConnections = LIMITS.API_SOCKETS_MAX;
    app.server.on('connection', (socket) => this.#connections.opened(socket));
    new BrokenStops(this.#ports.clock, this.#connections).watch(app.server);
    this.#runtimes?.watch(app.server);
    this.#live.watch(app.server);
    app.setReplySerializer(toJson);
    app.setErrorHandler((error, request, reply) => this.#answerError(error, request, reply));
    app.setNotFoundHandler((request, reply) => this.#notFound(request, reply));
    app.addHook('onRoute', (route) =>
      this.#methods.add(route.url, Array.isArray(route.method) ? route.method : [route.method]),
    );
    app.addHook('onRequest', async (request, reply) => {
      if (!this.#connections.admit(request.raw, reply.raw)) reply.hijack();
    });
    app.addHook('onRequest', async (request, reply) => this.#admit(request, reply));
    app.addHook('onRequest', async (request, reply) => {
      if (request.routeOptions.config.stops === true)
        await takeStopBody(request, reply, this.#ports.clock, this.#connections);
    });
    app.addHook('preValidation', async ({ raw, body, routeOptions }) => {
      if (this.#placeless.has(raw) && routeOptions.config.stopsWith?.(body) !== true)
        throw tooManyConnections();
    });
    // No body is an empty object: where fields are required the answer names the first that is missing.
    app.addHook('preValidation', async (request) => {
      if (request.method === 'POST' && request.body === undefined) request.body = {};
    });
    new ThawGuard(this.#ports.clock).watch(app);
    app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'unmatched';
      this.#metrics.observe(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
    });
    await openApi(app, this.#config.version);
    const deps = { ports: this.#ports, config: this.#config, cells: this.#cells };
    statusRoutes(app, { ...deps, logs: this.#logs, metrics: this.#metrics });
    runRoutes(app, this.#ports);
    runImageRoutes(app, this.#ports, this.#logs);
    replayRoutes(app, this.#ports);
    runControlRoutes(app, this.#ports);
    runtimeRoutes(app, this.#ports);
    sessionRoutes(app, this.#ports);
    askRoutes(app, this.#ports);
    eventRoutes(app, this.#ports, this.#streams);
    queryRoutes(app, this.#ports);
    robotRoutes(app, this.#ports);
    lakeRoutes(app, this.#ports);
    recallRoutes(app, this.#ports);
    recordingRoutes(app, this.#ports);
    motionRoutes(app, this.#ports);
    controllerRoutes(app, this.#ports);
    modelRoutes(app, this.#ports);
    planRoutes(app, this.#ports);
    engineRoutes(app, this.#ports);
    inferenceRoutes(app, this.#ports);
    wireRoutes(app, this.#ports);
    linkRoutes(app, this.#ports);
    linkDiskRoutes(app, this.#ports);
    playRoutes(app, this.#ports);
    rosRoutes(app, this.#ports);
    topicRoutes(app, this.#ports);
    sampleRouteRoutes(app, this.#ports);
    scheduleRoutes(app, this.#ports);
    questionRoutes(app, this.#ports);
    skillRoutes(app, this.#ports);
    extensionRoutes(app, this.#ports);
    appRoutes(app, this.#ports);
    approvalRoutes(app, this.#ports);
    policyRoutes(app, this.#ports);
    configRoutes(app, this.#ports);
    bagRoutes(app, this.#ports);
    mcpRoutes(app, this.#ports);
    await a2aRoutes(app, this.#ports, this.#config, this.#connections);
    safetyRoutes(app, this.#ports, this.#config, this.#connections);
    await webhookRoutes(app, this.#ports);
    meRoutes(app, this.#ports);
    consoleLoginRoutes(app, this.#ports);
    consoleRoutes(app, CONSOLE);
    await app.ready();
    return app;
  }

  #admit(request: FastifyRequest, reply: FastifyReply): void {
    void reply
      .header('x-request-id', request.id)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-store');
    const caller = {
      host: request.headers.host,
      origin: request.headers.origin,
      authorization: request.headers.authorization,
      local: this.#config.socketPath !== undefined,
    };
    this.#gate.checkHost(caller);
    if (request.routeOptions.config.open === true) return;
    const anonymous = this.#config.auth.kind === 'token' && caller.authorization === undefined;
    if (request.routeOptions.config.openWithoutToken === true && anonymous) return;
    // Its connection counts as one without a token, and gives way to others.
    if (request.routeOptions.config.signed === true) return;
    setCaller(request, this.#gate.checkToken(caller));
    const { undeniable, stops, stopsWith } = request.routeOptions.config;
    const hasPlace = this.#connections.known(request.raw, isOperator(request));
    if (undeniable === true) return;
    if (!hasPlace) void reply.header('connection', 'close');
    // What stops something is carried out although all places are taken.
    if (!hasPlace && stopsWith) this.#placeless.add(request.raw);
    else if (!hasPlace && stops !== true) throw tooManyConnections();
    checkAccess(request, callerOf(request), this.#ports);
  }

  #notFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const methods = this.#methods.of(request.url);
    const error = new EdgeError('api.not_found', {
      operation: request.method,
      subject: request.url.split('?')[0]!.slice(0, 256),
      ...(methods.length > 0 ? { message: `this endpoint knows only ${methods.join(', ')}` } : {}),
      hint: 'GET /openapi.json lists all endpoints',
    });
    if (methods.length > 0) void reply.header('allow', methods.join(', '));
    return reply.code(methods.length > 0 ? 405 : 404).send(error.toBody());
  }

  #answerError(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    // A method that no endpoint knows may be refused for its body before it is looked for.
    const elsewhere =
      request.is404 && !(thrown instanceof EdgeError) && this.#methods.of(request.url).length > 0;
    if (elsewhere) return this.#notFound(request, reply);
    const operation = `${request.method} ${request.routeOptions?.url ?? 'unmatched'}`;
    const { status, body, defect } = errorReply(thrown, operation, request.id);
    if (defect) {
      const error = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      this.#ports.report('error', 'request failed', { request: request.id, operation, error });
    }
    if (status === 401) void reply.header('www-authenticate', 'Bearer');
    if (status === 429 || status === 503) void reply.header('retry-after', '1');
    // The rest of a refused body is not read: the connection ends with the answer.
    if (status === 413) {
      this.#connections.linger(request.raw);
      void reply.header('connection', 'close');
    }
    return reply
      .code(status)
      .header('x-request-id', request.id)
      .type('application/json; charset=utf-8')
      .send(body);
  }
}

function tooManyConnections(): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: 'open connection',
    subject: 'api',
    message: `${LIMITS.API_CONNECTIONS_MAX} connections have open requests`,
    hint: 'close event streams that are not read; the emergency stop is still taken',
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function listenError(error: unknown, host: string, port: number): EdgeError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code !== 'EADDRINUSE' && code !== 'EACCES') {
    return EdgeError.from(error, 'host.missing', 'open API', `${host}:${port}`);
  }
  return new EdgeError('host.port_in_use', {
    operation: 'open API',
    subject: `${host}:${port}`,
    message: code === 'EACCES' ? `port ${port} needs rights this user lacks` : `port ${port} is taken`,
    hint: 'set api.port to another port (0 picks a free one), or stop the other program: ss -ltnp',
    cause: error,
  });
}
