import { Router } from 'zeromq';
import { EdgeError, type PolicyDesk, type Timer, withDeadline } from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';
import { WireCounts } from '../../formats/policy-wire/wire-counts.ts';
import { isMap } from '../../formats/policy-wire/wire-keys.ts';
import {
  questionBytesMax,
  sameToken,
  type WireServer,
  type WireServerOptions,
  type WireServerView,
} from '../../formats/policy-wire/wire-server.ts';
import { listenFault } from '../../io/listen.ts';
import { GrootClient } from './groot-client.ts';

/** Messages of one connection that libzmq holds for us: REQ has one. */
const WAITING_MAX = 2;
/** A connection that is silent on ping is closed, milliseconds. */
const HEARTBEAT_MS = 20_000;
/** A ZeroMQ greeting is complete by then, milliseconds. */
const GREETING_MS = 10_000;
/** A leaving client sends no notice. If its place is needed, a client silent for this long has left, milliseconds. */
const LEFT_MS = 60_000;
/** And this long in any case. */
const FORGET_MS = 10 * 60_000;
const LOOK_MS = 30_000;
/** Binding a socket, milliseconds. */
const BIND_MS = 5_000;

/**
 * The default policy of a desk for clients of GR00T, of both generations. A client is one connection (the identity
 * that ROUTER gives it); each has a session of its own. Rejects with `host.port_in_use`.
 */
export class GrootServer implements WireServer {
  readonly #desk: PolicyDesk;
  readonly #options: WireServerOptions;
  readonly #router: Router;
  readonly #bytesMax: number;
  readonly #clients = new Map<string, GrootClient>();
  /** Answers go out one after the other: the socket takes no two at a time. */
  #sending: Promise<void> = Promise.resolve();
  #looks: Timer | undefined;
  #port = 0;
  readonly #counts: WireCounts;

  private constructor(desk: PolicyDesk, options: WireServerOptions) {
    this.#desk = desk;
    this.#options = options;
    this.#counts = new WireCounts('groot', options.host);
    this.#bytesMax = questionBytesMax(desk);
    this.#router = new Router({
      linger: 0,
      maxMessageSize: this.#bytesMax,
      receiveHighWaterMark: WAITING_MAX,
      sendHighWaterMark: WAITING_MAX,
      handshakeInterval: GREETING_MS,
      heartbeatInterval: HEARTBEAT_MS,
      heartbeatTimeout: HEARTBEAT_MS,
    });
  }

  static async start(desk: PolicyDesk, options: WireServerOptions): Promise<GrootServer> {
    const server = new GrootServer(desk, options);
    await server.#bind();
    void server.#receive();
    server.#looks = options.clock.every(LOOK_MS, () => server.#forget(FORGET_MS));
    return server;
  }

  view(): WireServerView {
    return this.#counts.view(this.#port, this.#clients.size);
  }

  /** libzmq fixes the limit of a socket when it is bound. */
  outgrown(): boolean {
    return questionBytesMax(this.#desk) > this.#bytesMax;
  }

  async close(): Promise<void> {
    this.#looks?.cancel();
    if (!this.#router.closed) this.#router.close();
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
    this.#clients.clear();
  }

  async #bind(): Promise<void> {
    const { host, port, clock } = this.#options;
    const address = `tcp://${host.includes(':') ? `[${host}]` : host}:${port === 0 ? '*' : port}`;
    this.#router.ipv6 = host.includes(':');
    try {
      await withDeadline(clock, BIND_MS, this.#router.bind(address), 'listen', address);
    } catch (cause) {
      this.#router.close();
      throw listenFault(cause, address, { who: 'groot', hint: 'choose another serve.groot_listen' });
    }
    this.#port = Number(/:(\d+)$/.exec(this.#router.lastEndpoint ?? '')?.[1] ?? port);
  }

  async #receive(): Promise<void> {
    try {
      for await (const [identity, empty, body, ...more] of this.#router) {
        // A REQ socket sends an empty frame and its message. Any other frames are of another protocol.
        if (!identity || !body || empty?.length !== 0 || more.length > 0) this.#counts.refused += 1;
        else void this.#heard(identity, body);
      }
    } catch (thrown) {
      if (!this.#router.closed)
        this.#options.onFault(EdgeError.from(thrown, 'internal.fault', 'receive', 'groot'), 'groot');
    }
  }

  async #heard(identity: Buffer, body: Uint8Array): Promise<void> {
    const name = identity.toString('hex');
    let reply: unknown;
    try {
      reply = await this.#answer(name, body);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'infer', 'groot');
      this.#counts.failures += 1;
      this.#options.onFault(error, name);
      reply = { error: `${error.code}: ${error.message}` };
    }
    this.#send(identity, encodeMsgpack(reply, { numpy: 'gr00t' }));
  }

  async #answer(name: string, body: Uint8Array): Promise<unknown> {
    const { token, deadlineMs, keys, clock } = this.#options;
    const request = decodeMsgpack(body, { numpy: 'gr00t' });
    if (!isMap(request)) throw bad('a request is a map');
    const given = request['api_token'];
    if (token !== undefined && !sameToken(typeof given === 'string' ? given : undefined, token)) {
      this.#counts.refused += 1;
      // In the words of a stock server: its clients look for them.
      return { error: 'Unauthorized: Invalid API token' };
    }
    const endpoint = request['endpoint'] ?? 'get_action';
    if (endpoint === 'ping') return { status: 'ok', message: 'Server is running' };
    if (endpoint === 'kill') {
      this.#counts.refused += 1;
      return { error: 'kill is refused: this server belongs to its robot' };
    }
    const client = this.#clientOf(name, () => ({ deadlineMs, keys, clock }));
    const data = request['data'];
    switch (endpoint) {
      case 'get_action':
        this.#counts.questions += 1;
        return client.action(isMap(data) ? data : {});
      case 'get_modality_config':
        return client.modalities();
      case 'reset':
        return client.reset();
      default:
        return { error: `Unknown endpoint: ${String(endpoint).slice(0, 64)}` };
    }
  }

  #clientOf(name: string, options: () => ConstructorParameters<typeof GrootClient>[1]): GrootClient {
    const known = this.#clients.get(name);
    if (known) return known;
    const { clientsMax, token } = this.#options;
    if (this.#clients.size >= clientsMax) this.#forget(LEFT_MS);
    if (this.#clients.size >= clientsMax) {
      this.#counts.refused += 1;
      throw new EdgeError('cell.overloaded', {
        operation: 'infer',
        subject: 'groot',
        message: `${clientsMax} clients are connected already`,
      });
    }
    const principal = token === undefined ? 'anonymous' : 'token';
    const caller = { id: `groot/${name}`, wire: 'groot', principal } as const;
    const client = new GrootClient(() => this.#desk.open(caller), options());
    this.#clients.set(name, client);
    return client;
  }

  /** A client that is forgotten and comes back starts a new episode. */
  #forget(silentMs: number): void {
    const before = this.#options.clock.monotonicMs() - silentMs;
    for (const [name, client] of this.#clients) {
      if (client.busy || client.lastMs > before) continue;
      this.#clients.delete(name);
      void client.close().catch(() => {});
    }
  }

  /** To a client that left, or does not take its answers, nothing is sent: ROUTER drops it. */
  #send(identity: Buffer, body: Uint8Array): void {
    this.#sending = this.#sending.then(async () => {
      if (this.#router.closed) return;
      await this.#router.send([identity, '', body]).catch(() => {
        this.#counts.failures += 1;
      });
    });
  }
}

function bad(message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: 'groot', message });
}
