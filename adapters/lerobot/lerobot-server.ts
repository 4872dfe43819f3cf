import { createServer, type Server as NetServer, type Socket } from 'node:net';
import {
  Server,
  ServerCredentials,
  type ServerReadableStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { EdgeError, LIMITS, type PolicyDesk, pause } from '../../contract/core.ts';
import { WireCounts } from '../../formats/policy-wire/wire-counts.ts';
import {
  sameToken,
  type WireServer,
  type WireServerOptions,
  type WireServerView,
} from '../../formats/policy-wire/wire-server.ts';
import { listen } from '../../io/listen.ts';
import { ClientPlaces } from './client-places.ts';
import { type Piece, PieceJoiner, UploadBudget } from './pieces.ts';
import { cardMetadata, failure, hashMetadata } from './replies.ts';
import type { RobotSession } from './robot-session.ts';
import { type Bytes, type Empty, MESSAGE_BYTES_MAX, META, TRANSPORT_SERVICE } from './transport.ts';
import { isLoopback, trustedHosts } from './trusted.ts';

export type LeRobotServerOptions = WireServerOptions & {
  /** Of PEM; `clientCa`: clients show a certificate that it signed. Undefined: no TLS, as stock clients want it. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer; readonly clientCa?: Buffer };
  /** Addresses or networks whose clients need no token. Without a token, the only ones beside this host. */
  readonly trusted?: readonly string[];
  /** One observation, images as the cameras give them; default 32 MiB: five of 1920 x 1080. */
  readonly observationBytesMax?: number;
  /** How long `GetActions` waits for an observation, milliseconds; default 2000, as a stock server. */
  readonly waitMs?: number;
  /** Observations nearer than this to the last one are dropped unless they must go; default 1, as a stock server. */
  readonly similarity?: number;
};

const OBSERVATION_BYTES_MAX = LIMITS.POLICY_PAYLOAD_BYTES_MAX;
const WAIT_MS = 2_000;
/** An observation whose end has not come by then is dropped, milliseconds. */
const UPLOAD_MS = 10_000;
/** How long a client waits that asks for actions and may not, milliseconds. */
const REFUSAL_MS = 500;
/** Of all clients together; what uploads may cost in memory. */
const UPLOADS_BYTES_MAX = 128 * 1024 * 1024;
/** A connection without a permitted call by then is closed, milliseconds. */
const FIRST_CALL_MS = 10_000;
/** A connection without calls is closed after this, milliseconds; clients open another. */
const IDLE_MS = 120_000;
/** A connection that is quiet for this long is asked whether it is there, and cut after the second, milliseconds. */
const KEEPALIVE_MS = 20_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Calls at a time on one connection; a stock client has two. */
const CALLS_MAX = 8;

/**
 * The policies of a desk for clients of LeRobot's asynchronous inference. `pretrained_name_or_path` names the policy
 * (`default`: the first); each connection is a session of its own. Rejects with `host.port_in_use`.
 */
export class LeRobotServer implements WireServer {
  readonly #options: LeRobotServerOptions;
  readonly #net: NetServer;
  readonly #grpc: Server;
  /** By the address of the other side, which is what a call knows of its connection. */
  readonly #sockets = new Map<string, Socket>();
  readonly #places: ClientPlaces;
  readonly #uploads = new UploadBudget(UPLOADS_BYTES_MAX);
  readonly #desk: PolicyDesk;
  readonly #trusts: (host: string) => boolean;
  readonly #counts: WireCounts;

  private constructor(desk: PolicyDesk, options: LeRobotServerOptions) {
    const { tls, keys, clock, deadlineMs } = options;
    this.#options = options;
    this.#counts = new WireCounts('lerobot', options.host);
    this.#desk = desk;
    this.#trusts = trustedHosts(options.trusted ?? []);
    this.#places = new ClientPlaces(desk, clock, options.token === undefined ? 'anonymous' : 'token', {
      ...{ keys, clock, deadlineMs },
      waitMs: options.waitMs ?? WAIT_MS,
      observationBytesMax: options.observationBytesMax ?? OBSERVATION_BYTES_MAX,
      similarity: options.similarity ?? 1,
    });
    this.#grpc = new Server({
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_concurrent_streams': CALLS_MAX,
      'grpc.max_connection_idle_ms': IDLE_MS,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    });
    this.#grpc.addService(TRANSPORT_SERVICE, {
      Ready: this.#unary((call: ServerUnaryCall<Empty, Empty>) => this.#ready(call)),
      SendPolicyInstructions: this.#unary(async (call: ServerUnaryCall<Bytes, Empty>) => {
        this.#places.at(this.#admit(call)).instruct(call.request.data);
        return {};
      }),
      GetActions: this.#unary((call: ServerUnaryCall<Empty, Bytes>) => this.#actions(call)),
      SendObservations: (call: ServerReadableStream<Piece, Empty>, reply: sendUnaryData<Empty>) =>
        this.#observations(call, reply),
    });
    const credentials = tls
      ? ServerCredentials.createSsl(
          tls.clientCa ?? null,
          [{ cert_chain: tls.cert, private_key: tls.key }],
          tls.clientCa !== undefined,
        )
      : ServerCredentials.createInsecure();
    const injector = this.#grpc.createConnectionInjector(credentials);
    this.#net = createServer({ noDelay: true, pauseOnConnect: false }, (socket) => {
      this.#accept(socket);
      injector.injectConnection(socket);
    });
    this.#net.maxConnections = options.clientsMax;
    this.#net.on('drop', () =>
      this.#turnAway('cell.overloaded', `${options.clientsMax} clients are connected`),
    );
  }

  static async start(desk: PolicyDesk, options: LeRobotServerOptions): Promise<LeRobotServer> {
    const server = new LeRobotServer(desk, options);
    await listen(server.#net, options, { who: 'LeRobot', hint: 'choose another serve.lerobot_listen' });
    return server;
  }

  view(): WireServerView {
    const address = this.#net.address();
    return this.#counts.view(typeof address === 'object' && address ? address.port : 0, this.#sockets.size);
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#net.close(() => resolve()));
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets.values()) socket.destroy();
    await this.#places.close();
    await closed;
  }

  #accept(socket: Socket): void {
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    this.#sockets.set(peer, socket);
    const first = this.#options.clock.after(FIRST_CALL_MS, () => {
      if (!this.#places.has(peer)) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      first.cancel();
      this.#sockets.delete(peer);
      void this.#places.leave(peer);
    });
  }

  /** A call of one message; what its work throws becomes a status. */
  #unary<Request, Response>(work: (call: ServerUnaryCall<Request, Response>) => Promise<Response>) {
    return (call: ServerUnaryCall<Request, Response>, reply: sendUnaryData<Response>): void => {
      work(call).then(
        (response) => reply(null, response),
        (error: unknown) => {
          // A client that hung up is no fault of anybody.
          if (!call.cancelled) this.#fail(error, call.getPeer(), reply);
        },
      );
    };
  }

  async #ready(call: ServerUnaryCall<Empty, Empty>): Promise<Empty> {
    await this.#places.at(this.#admit(call)).ready();
    const [wanted] = call.metadata.get(META.policy);
    if (typeof wanted === 'string')
      call.sendMetadata(cardMetadata(this.#desk, wanted, call.getPeer(), this.#options.keys));
    return {};
  }

  async #actions(call: ServerUnaryCall<Empty, Bytes>): Promise<Bytes> {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    const made = await (await this.#slowly(call, gone.signal)).actions(gone.signal);
    if (!made) return { data: Buffer.alloc(0) };
    this.#counts.questions += 1;
    call.sendMetadata(hashMetadata(made.hash));
    return { data: Buffer.from(made.bytes.buffer, made.bytes.byteOffset, made.bytes.byteLength) };
  }

  /**
   * The session of a client. Without one the error comes after a while, since a stock client asks again at once, for
   * ever.
   */
  async #slowly(call: ServerUnaryCall<Empty, Bytes>, signal: AbortSignal): Promise<RobotSession> {
    try {
      const session = this.#places.going(this.#admit(call));
      session.checkInstructed();
      return session;
    } catch (error) {
      await pause(this.#options.clock, REFUSAL_MS, signal);
      throw error;
    }
  }

  #observations(call: ServerReadableStream<Piece, Empty>, reply: sendUnaryData<Empty>): void {
    const joiner = new PieceJoiner(this.#options.observationBytesMax ?? OBSERVATION_BYTES_MAX, this.#uploads);
    let over = false;
    const end = (error?: unknown) => {
      if (over) return;
      over = true;
      timer.cancel();
      joiner.clear();
      if (error === undefined) reply(null, {});
      else this.#fail(error, call.getPeer(), reply);
      // What still comes is read and dropped; an answered call is no longer read.
      call.resume();
    };
    const timer = this.#options.clock.after(UPLOAD_MS, () =>
      end(
        new EdgeError('deadline.exceeded', {
          operation: 'receive observation',
          subject: call.getPeer(),
          message: `the last part did not arrive within ${UPLOAD_MS} ms`,
        }),
      ),
    );
    const attempt = (work: () => void) => {
      try {
        if (!over) work();
      } catch (error) {
        end(error);
      }
    };
    call.on('data', (piece: Piece) =>
      attempt(() => {
        const session = this.#places.going(this.#admit(call));
        const whole = joiner.push(piece);
        if (!whole) return;
        session.observe(whole);
        end();
      }),
    );
    call.on('end', () => end(new EdgeError('wire.refused', INCOMPLETE)));
    call.on('cancelled', () => end(new EdgeError('wire.refused', INCOMPLETE)));
    call.on('error', () => end(new EdgeError('wire.refused', INCOMPLETE)));
  }

  /** The connection of a call that may be made. Throws `api.unauthorised`, `api.forbidden`, `cell.unavailable`. */
  #admit(call: Pick<ServerUnaryCall<unknown, unknown>, 'metadata' | 'getPeer'>): string {
    const { token, trusted = [] } = this.#options;
    const peer = call.getPeer();
    // A call may outlive its connection by a moment; a place for it would have no owner.
    if (!this.#sockets.has(peer))
      throw new EdgeError('cell.unavailable', {
        operation: 'connect',
        subject: peer,
        message: 'the connection of this call is closed',
      });
    const host = peer.slice(0, peer.lastIndexOf(':'));
    if (this.#trusts(host)) return peer;
    if (token === undefined && trusted.length > 0 && !isLoopback(host))
      throw new EdgeError('api.forbidden', {
        operation: 'connect',
        subject: peer,
        message: 'clients with this address are not served',
      });
    const [given] = call.metadata.get('authorization');
    const shown = typeof given === 'string' ? /^Bearer (.+)$/i.exec(given)?.[1]?.trim() : undefined;
    if (token !== undefined && !sameToken(shown, token))
      throw new EdgeError('api.unauthorised', {
        operation: 'connect',
        subject: peer,
        message: 'metadata is wanted: "authorization: Bearer <token>"',
      });
    return peer;
  }

  #fail(thrown: unknown, peer: string, reply: sendUnaryData<never>): void {
    const error = EdgeError.from(thrown, 'internal.fault', 'serve', peer);
    if (error.code === 'api.unauthorised' || error.code === 'api.forbidden') this.#counts.refused += 1;
    else this.#counts.failures += 1;
    this.#options.onFault(error, peer);
    reply(failure(error), null);
  }

  #turnAway(code: 'cell.overloaded', message: string): void {
    this.#counts.refused += 1;
    this.#options.onFault(new EdgeError(code, { operation: 'connect', subject: 'LeRobot', message }), '');
  }
}

const INCOMPLETE = {
  operation: 'receive observation',
  subject: 'LeRobot',
  message: 'the observation ended before its last piece',
} as const;
