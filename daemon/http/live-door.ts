import type { IncomingMessage, Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type CellBus, type Clock, EdgeError, METHODS } from '../../contract/index.ts';
import { refuseUpgrade } from '../../io/web-socket.ts';
import { OWNER } from './access.ts';
import { askExecution } from './ask-execution.ts';
import type { Connections } from './connections.ts';
import { STATUS } from './error-reply.ts';
import type { Gate } from './gate.ts';

/** Live topics over WebSocket, by the protocol of Foxglove. */
export const LIVE_PATH = '/v1/live';
/** A browser cannot send a header with a WebSocket: the subprotocol with this prefix holds the token, in base64url. */
const TOKEN_PROTOCOL = 'bearer.';
/** How long the other cell may take to accept, milliseconds. */
const CONNECT_MS = 5_000;

export type LiveDoorParts = {
  readonly gate: Gate;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly bus: Pick<CellBus, 'request'>;
  /** True on a unix socket. */
  readonly local: boolean;
};

/** True for a request for live topics; all others keep their answer over HTTP. */
export function isLiveUpgrade({ url, headers }: IncomingMessage): boolean {
  return (url ?? '').split('?')[0] === LIVE_PATH && headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Clients of the API that want live topics. Who they are is decided here; what they see and do is decided by the server
 * for attached clients in the execution cell (docs/foxglove.md). Bytes are passed on as they are, and no faster
 * than they are read.
 */
export class LiveDoor {
  readonly #parts: LiveDoorParts;
  readonly #open = new Set<Duplex>();

  constructor(parts: LiveDoorParts) {
    this.#parts = parts;
  }

  watch(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (isLiveUpgrade(request)) void this.#admit(request, socket, head);
    });
  }

  close(): void {
    for (const socket of this.#open) socket.destroy();
  }

  async #admit(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const { gate, connections, bus, local } = this.#parts;
    try {
      const { host, origin } = request.headers;
      const { token, protocols } = offerOf(request);
      const caller = { host, origin, local, authorization: token && `Bearer ${token}` };
      gate.checkHost(caller);
      const who = gate.checkToken(caller);
      if (who.tenant !== OWNER)
        throw new EdgeError('policy.denied', {
          ...{ operation: 'authorise', subject: LIVE_PATH },
          message: `${who.tenant} is a guest here: live topics are not shared`,
        });
      if (!connections.keep(request, who.roles.includes('operator')))
        throw new EdgeError('cell.overloaded', {
          ...{ operation: 'open connection', subject: 'api', message: 'too many connections' },
        });
      const { path } = await askExecution(bus, METHODS.execution.attachOpen, {});
      const robot = await this.#connect(path);
      if (socket.destroyed) return void robot.destroy();
      robot.write(requestOf(request, token, protocols));
      this.#join(socket, robot, head);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'connect', LIVE_PATH);
      refuseUpgrade(socket, STATUS[error.code] ?? 500, JSON.stringify(error.toBody()));
    }
  }

  #connect(path: string): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const robot = connect(path);
      const fail = (message: string) => {
        robot.destroy();
        reject(new EdgeError('cell.unavailable', { operation: 'connect', subject: 'live data', message }));
      };
      const timer = this.#parts.clock.after(CONNECT_MS, () => fail('the execution cell does not accept'));
      robot.once('error', (error) => fail(error.message));
      robot.once('connect', () => {
        timer.cancel();
        resolve(robot);
      });
    });
  }

  /** Until one of them ends: then the other ends too. */
  #join(socket: Duplex, robot: Socket, head: Buffer): void {
    this.#open.add(socket);
    robot.on('error', () => robot.destroy());
    robot.on('close', () => socket.destroy());
    socket.on('close', () => {
      this.#open.delete(socket);
      robot.destroy();
    });
    (socket as Socket).setNoDelay?.(true);
    if (head.length > 0) socket.unshift(head);
    socket.pipe(robot).pipe(socket);
  }
}

/** The token of the client, and the subprotocols without it. */
function offerOf({ headers }: IncomingMessage): {
  readonly token: string | undefined;
  readonly protocols: readonly string[];
} {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((one) => one.trim());
  const coded = offered.find((one) => one.startsWith(TOKEN_PROTOCOL));
  const [, bearer] = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(headers.authorization ?? '') ?? [];
  const shown = coded && Buffer.from(coded.slice(TOKEN_PROTOCOL.length), 'base64url').toString();
  // What is sent on is a header line: nothing may end it early.
  const token = bearer ?? (shown !== undefined && /^[\x21-\x7e]{1,512}$/.test(shown) ? shown : undefined);
  return { token, protocols: offered.filter((one) => one !== coded && /^[\w.-]{1,64}$/.test(one)) };
}

/** The handshake as the server for attached clients expects it. Its answer is the answer to the client. */
function requestOf(
  { headers }: IncomingMessage,
  token: string | undefined,
  protocols: readonly string[],
): string {
  const line = (name: string, value: string | undefined) => (value ? [`${name}: ${value}`] : []);
  const lines = [
    'GET / HTTP/1.1',
    ...['host: localhost', 'connection: Upgrade', 'upgrade: websocket'],
    ...line('sec-websocket-key', headers['sec-websocket-key']),
    ...line('sec-websocket-version', headers['sec-websocket-version']),
    ...line('sec-websocket-protocol', protocols.join(', ')),
    ...line('authorization', token && `Bearer ${token}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
