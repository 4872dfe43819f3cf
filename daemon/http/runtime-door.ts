import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type Clock,
  EdgeError,
  RUNTIME_CLOSE,
  RUNTIME_LIMITS,
  RUNTIME_SUBPROTOCOL,
  type RuntimeLink,
  type RuntimesApi,
} from '../../contract/index.ts';
import { acceptWebSocket, refuseUpgrade, type WebSocket } from '../../io/web-socket.ts';
import type { Connections } from './connections.ts';
import { STATUS } from './error-reply.ts';
import type { Gate } from './gate.ts';

/** Where foreign runtimes dial in. */
export const RUNTIME_PATH = '/v1/runtime';

/** A connection that was closed has this long to answer before it is cut, milliseconds. */
const FAREWELL_MS = 1_000;

export type RuntimeDoorParts = {
  readonly runtimes: RuntimesApi;
  readonly gate: Gate;
  readonly connections: Connections;
  readonly clock: Clock;
  /** True on a unix socket. */
  readonly local: boolean;
};

/** True for a request of a foreign runtime; all others keep their answer over HTTP. */
export function isRuntimeUpgrade({ url, headers }: IncomingMessage): boolean {
  return (url ?? '').split('?')[0] === RUNTIME_PATH && headers.upgrade?.toLowerCase() === 'websocket';
}

/**
 * Foreign runtimes at the port of the API. Each has a token of its own, which opens nothing else; the tokens of the API
 * do not open this.
 */
export class RuntimeDoor {
  readonly #parts: RuntimeDoorParts;
  readonly #open = new Set<WebSocket>();

  constructor(parts: RuntimeDoorParts) {
    this.#parts = parts;
  }

  watch(server: Server): void {
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!isRuntimeUpgrade(request)) return;
      socket.on('error', () => socket.destroy());
      try {
        this.#admit(request, socket, head);
      } catch (thrown) {
        const error = EdgeError.from(thrown, 'internal.fault', 'connect', RUNTIME_PATH);
        refuseUpgrade(socket, STATUS[error.code] ?? 500, JSON.stringify(error.toBody()));
      }
    });
  }

  /** Ends all connections; they are cut when a client does not hang up. */
  close(): void {
    for (const socket of this.#open) this.#hangUp(socket, RUNTIME_CLOSE.leaving, 'the daemon stops');
  }

  #hangUp(ws: WebSocket, code: number, reason: string): void {
    ws.close(code, Buffer.from(reason).subarray(0, 120).toString());
    const cut = this.#parts.clock.after(FAREWELL_MS, () => ws.terminate());
    ws.once('close', () => cut.cancel());
  }

  #admit(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { gate, connections, runtimes, local } = this.#parts;
    const { host, origin, authorization } = request.headers;
    gate.checkHost({ host, origin, authorization, local });
    const name = this.#nameOf(authorization);
    if (!connections.keep(request, false))
      throw new EdgeError('cell.overloaded', {
        ...{ operation: 'open connection', subject: 'api', message: 'too many connections' },
      });
    acceptWebSocket(
      request,
      socket,
      head,
      {
        frameBytesMax: RUNTIME_LIMITS.FRAME_BYTES_MAX,
        subprotocol: RUNTIME_SUBPROTOCOL,
        failed: () => {},
      },
      (ws) => runtimes.connect(name, this.#link(ws, request)),
    );
  }

  /** Compares with all tokens, to take constant time. */
  #nameOf(authorization: string | undefined): string {
    const shown = digest(/^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? '')?.[1] ?? '');
    const found = this.#parts.runtimes
      .identities()
      .filter(({ token }) => timingSafeEqual(shown, digest(token)));
    if (found[0]) return found[0].name;
    throw new EdgeError('api.unauthorised', {
      ...{ operation: 'authorise', subject: 'runtime', message: 'the token of no runtime' },
      hint: 'send "authorization: Bearer <token>"; auraison runtimes token NAME prints it',
    });
  }

  #link(ws: WebSocket, { socket }: IncomingMessage): RuntimeLink {
    this.#open.add(ws);
    ws.on('close', () => this.#open.delete(ws));
    // A frame that is too large, or none: the library closes the connection.
    ws.on('error', () => {});
    return {
      peer: `${socket.remoteAddress ?? 'local'}:${socket.remotePort ?? 0}`,
      send: (text) => {
        if (ws.readyState === ws.OPEN) ws.send(text);
      },
      close: (code, reason) => this.#hangUp(ws, code, reason),
      onText: (take) => {
        ws.on('message', (data, isBinary) => {
          if (isBinary) ws.close(RUNTIME_CLOSE.malformed, 'binary frames are not taken');
          else take(String(data));
        });
      },
      onClose: (closed) => void ws.once('close', () => closed()),
    };
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
