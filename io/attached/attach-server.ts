import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Clock, EdgeError, LIMITS, type Timer } from '../../contract/core.ts';
import { listen } from '../listen.ts';
import { acceptWebSocket, refuseUpgrade, type WebSocket } from '../web-socket.ts';
import type { ApiCaller } from './api-caller.ts';
import { mayCommand } from './may-command.ts';
import { SendQueue } from './send-queue.ts';

export type AttachOptions = {
  /** Section of the configuration: `foxglove`, `rosbridge`. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** A unix socket in place of host and port. The API passes its clients on to it. */
  readonly socketPath?: string;
  readonly clientsMax: number;
  /** Bytes that may wait for one client. */
  readonly queueBytes: number;
  /** Clients without a token may look. */
  readonly isOpen: boolean;
  /** The API of this daemon wants no token, so clients without one may act too. */
  readonly needsToken: boolean;
  /** Subprotocols, the preferred one first; a client must offer one of them. Empty: the protocol has none. */
  readonly subprotocols: readonly string[];
};

/** One client whose rights are known. */
export type Connection = {
  readonly queue: SendQueue;
  /** Undefined: it may only look. */
  readonly caller: ApiCaller | undefined;
  hangUp(code: number, reason: string): void;
};
export type Client = {
  text(text: string): void;
  binary(frame: Uint8Array): void;
  lost(topic: string, count: number): void;
  closed(): void;
};
export type AttachParts = {
  readonly clock: Clock;
  callerOf(token: string | undefined): ApiCaller;
  open(connection: Connection): Client;
  report(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};

const TOKEN = /^[\x21-\x7e]{1,512}$/;
const PING_MS = 20_000;

/** Whose place goes first: those that only look, then those with a token, then operators. */
const RANKS = { looks: 0, known: 1, commands: 2 } as const;
type Admitted = {
  /** Undefined: it may only look. */
  readonly caller: ApiCaller | undefined;
  readonly rank: number;
};

/** Clients whose rights are asked for at the API at a time. */
const ASKED_MAX = 64;

type Open = {
  readonly socket: WebSocket;
  readonly queue: SendQueue;
  readonly who: Admitted;
  readonly hangUp: Connection['hangUp'];
  heardMs: number;
  sent: number;
};

/** Accepts WebSocket clients of one protocol: who they are, how many, and what happens to those that hang. */
export class AttachServer {
  readonly #options: AttachOptions;
  readonly #parts: AttachParts;
  readonly #server: Server;
  readonly #open = new Set<Open>();
  /** Connections that are no clients yet, in the order in which they came. */
  readonly #strangers = new Set<Duplex>();
  #pending = 0;
  #timer: Timer | undefined;

  constructor(options: AttachOptions, parts: AttachParts) {
    this.#options = options;
    this.#parts = parts;
    const timing = { headersTimeout: 10_000, requestTimeout: 10_000, connectionsCheckingInterval: 1_000 };
    this.#server = createServer({ maxHeaderSize: 16_384, ...timing }, (_request, response) => {
      response.writeHead(426, { connection: 'close', upgrade: 'websocket' }).end();
    });
    this.#server.on('connection', (socket) => this.#came(socket));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
  }

  /** Number of clients. */
  get clients(): number {
    return this.#open.size;
  }

  /** Resolves with the port, 0 for a unix socket. Rejects with `host.port_in_use`. */
  async start(): Promise<number> {
    const { name, host, port, socketPath } = this.#options;
    // One that a killed process left behind.
    if (socketPath !== undefined) await rm(socketPath, { force: true });
    const where = socketPath === undefined ? { host, port } : { path: socketPath };
    await listen(this.#server, where, { who: name, hint: `choose another ${name}.port` });
    this.#timer = this.#parts.clock.every(PING_MS, () => this.#look());
    return socketPath === undefined ? (this.#server.address() as AddressInfo).port : 0;
  }

  close(): void {
    this.#timer?.cancel();
    for (const { socket } of this.#open) socket.terminate();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The oldest connection without a client gives way, so connections that say nothing keep no client out. */
  #came(socket: Socket): void {
    this.#strangers.add(socket);
    socket.once('close', () => this.#strangers.delete(socket));
    const [oldest] = this.#strangers;
    if (this.#strangers.size > this.#options.clientsMax + 8) oldest?.destroy();
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const { clientsMax, name } = this.#options;
    const full = () =>
      refuse(socket, 503, `this robot has ${clientsMax} clients already; ${name}.max_clients`);
    if (this.#pending >= ASKED_MAX) return full();
    this.#pending += 1;
    try {
      const who = await this.#admit(request);
      if (socket.destroyed) return;
      if (this.#open.size >= clientsMax && !this.#makeRoom(who)) return full();
      this.#strangers.delete(socket);
      this.#accept(request, socket, head, who);
    } catch (thrown) {
      const { code, message, hint } = EdgeError.from(thrown, 'internal.fault', 'attach', name);
      refuse(socket, STATUS[code] ?? 503, hint === '' ? message : `${message}: ${hint}`);
    } finally {
      this.#pending -= 1;
    }
  }

  /** Whether a client with fewer rights gave its place: the oldest of those with the fewest. */
  #makeRoom({ rank }: Admitted): boolean {
    let least: Open | undefined;
    for (const open of this.#open) if (open.who.rank < (least?.who.rank ?? rank)) least = open;
    if (!least) return false;
    this.#open.delete(least);
    least.socket.terminate();
    return true;
  }

  /** The rights of the client. Throws for a client that may not even look. */
  async #admit(request: IncomingMessage): Promise<Admitted> {
    const { subprotocols, isOpen, needsToken, socketPath } = this.#options;
    const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
    if (subprotocols.length > 0 && !subprotocols.some((one) => offered.includes(one)))
      throw refusal('schema.invalid', `expected one of the subprotocols ${subprotocols.join(', ')}`);
    const token = tokenOf(request);
    if (token === undefined) {
      if (needsToken && !isOpen)
        throw refusal('api.unauthorised', 'the token is missing', 'add ?token=… to the address');
      if (socketPath === undefined) checkNeighbour(request);
      if (needsToken) return { caller: undefined, rank: RANKS.looks };
    }
    const caller = this.#parts.callerOf(token);
    await caller.get('/v1/lease');
    const commands = await mayCommand(caller).then(
      () => true,
      () => false,
    );
    return { caller, rank: commands ? RANKS.commands : RANKS.known };
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, who: Admitted): void {
    const { subprotocols } = this.#options;
    const options = {
      frameBytesMax: LIMITS.ATTACH_FRAME_BYTES_MAX,
      subprotocol: subprotocols,
      failed: () => {},
    };
    acceptWebSocket(request, socket, head, options, (accepted) => this.#serve(accepted, who));
    (socket as Socket).setNoDelay?.(true);
  }

  #serve(socket: WebSocket, who: Admitted): void {
    const { clock, report } = this.#parts;
    const { name, queueBytes } = this.#options;
    const hangUp = (code: number, reason: string) => {
      queue.close();
      socket.close(code, reason);
      // A client that does not read would never answer the close.
      clock.after(1_000, () => socket.terminate());
    };
    let client: Client | undefined;
    const queue = new SendQueue({
      bytesMax: queueBytes,
      send: (frame, done) => socket.send(frame, done),
      dropped: (topic, count) => client?.lost(topic, count),
      overrun: () => hangUp(1013, 'this client does not take its answers'),
    });
    const open: Open = { socket, queue, who, hangUp, heardMs: clock.monotonicMs(), sent: 0 };
    const pace = paceOf(socket, clock);
    this.#open.add(open);
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => {
      open.heardMs = clock.monotonicMs();
    });
    socket.on('close', () => {
      this.#open.delete(open);
      queue.close();
      client?.closed();
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      open.heardMs = clock.monotonicMs();
      pace();
      try {
        if (isBinary) client?.binary(data);
        else client?.text(data.toString('utf8'));
      } catch (thrown) {
        report('warn', `${name}: a message of a client failed here`, { error: String(thrown) });
        hangUp(1011, 'internal fault');
      }
    });
    client = this.#parts.open({ queue, caller: who.caller, hangUp });
  }

  #look(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const open of this.#open) {
      if (open.queue.sent !== open.sent) open.heardMs = nowMs;
      open.sent = open.queue.sent;
      if (nowMs - open.heardMs > LIMITS.ATTACH_STALLED_MS) open.socket.terminate();
      else open.socket.ping();
      void this.#checkRights(open);
    }
  }

  /** A token that is taken from the configuration shows nothing any longer. Never rejects. */
  async #checkRights({ who: { caller }, hangUp }: Open): Promise<void> {
    try {
      await caller?.get('/v1/lease');
    } catch (thrown) {
      const { code } = EdgeError.from(thrown, 'internal.fault', 'attach', this.#options.name);
      if (REVOKED.has(code)) hangUp(1008, 'the token is not valid any longer');
    }
  }
}

/** Called for each message. A client that sends too many is not read for the rest of the second, so others have their turn. */
function paceOf(socket: WebSocket, clock: Clock): () => void {
  let [startMs, count] = [-Infinity, 0];
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - startMs >= 1_000) [startMs, count] = [nowMs, 0];
    count += 1;
    if (count !== LIMITS.ATTACH_MESSAGES_PER_S) return;
    socket.pause();
    clock.after(1_000 - (nowMs - startMs), () => socket.resume());
  };
}

const STATUS: Partial<Record<EdgeError['code'], number>> = {
  'schema.invalid': 400,
  'api.unauthorised': 401,
  'api.forbidden': 403,
  'policy.denied': 403,
};

const REVOKED: ReadonlySet<EdgeError['code']> = new Set([
  'api.unauthorised',
  'api.forbidden',
  'policy.denied',
]);

/** Browsers cannot send a header with a WebSocket, so the address may hold the token. */
function tokenOf({ url, headers }: IncomingMessage): string | undefined {
  const [, bearer] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? [];
  const query = (url ?? '').split('?', 2)[1];
  const token = bearer ?? (query === undefined ? null : new URLSearchParams(query).get('token'));
  if (token === null || token === '') return undefined;
  if (!TOKEN.test(token)) throw refusal('api.unauthorised', 'the token is not valid');
  return token;
}

/**
 * A client without a token is a program or a page of this host. Any other web page could be shown by the browser of a person
 * who sits here.
 */
function checkNeighbour({ headers, socket }: IncomingMessage): void {
  const { origin, host = '' } = headers;
  const address = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
  const hint = 'add ?token=… to the address';
  if (!(address === '::1' || address.startsWith('127.')))
    throw refusal('api.unauthorised', 'clients of other hosts need a token', hint);
  const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
  if (name !== 'localhost' && isIP(name) === 0)
    throw refusal('api.forbidden', 'the Host is not this host', hint);
  if (origin === undefined || origin.startsWith('file://')) return;
  const page = URL.canParse(origin) ? new URL(origin).hostname : '';
  if (page === 'localhost' || page === '[::1]' || /^127(?:\.\d+){3}$/.test(page)) return;
  throw refusal('api.forbidden', 'web pages of other hosts need a token', hint);
}

function refusal(code: EdgeError['code'], message: string, hint = ''): EdgeError {
  return new EdgeError(code, { operation: 'attach', subject: 'client', message, hint });
}

function refuse(socket: Duplex, status: number, message: string): void {
  refuseUpgrade(socket, status, `${JSON.stringify({ message })}\n`);
}
