import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, LIMITS, linger, type Timer } from '../../contract/index.ts';

type Connection = {
  readonly address: string;
  /** True after a valid token. Until then the connection is anonymous. */
  known: boolean;
  underWay: number;
};

/**
 * The connections of the API. Anonymous connections have a limit of their own: beyond it the oldest of the address
 * with the most connections is closed, so that a client with a token, and the emergency stop, always find one.
 * No connection holds more than its share, of open requests and of answers that are not read.
 */
export class Connections {
  readonly #clock: Clock;
  /** In the order in which they came. */
  readonly #open = new Map<Socket, Connection>();
  #strangers = 0;
  #shedding: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A connection was made. */
  opened(socket: Socket): void {
    const one: Connection = { address: socket.remoteAddress ?? '', known: false, underWay: 0 };
    this.#open.set(socket, one);
    this.#strangers++;
    socket.once('close', () => {
      this.#open.delete(socket);
      if (!one.known) this.#strangers--;
    });
    if (this.#strangers <= LIMITS.API_STRANGERS_MAX) return;
    // Not at once: one of many new connections may be about to send its token.
    this.#shedding ??= this.#clock.after(LIMITS.API_SHED_MS, () => this.#shed());
  }

  /** False: one request too many. The connection is closed then, and its remaining requests are ignored. */
  admit({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const one = this.#open.get(socket);
    // It was closed while this request was on its way.
    if (!one) return false;
    one.underWay++;
    if (one.underWay > LIMITS.API_PIPELINED_MAX) {
      // Requests of the same packet still come after this one: they must not use the freed place.
      one.underWay = Number.POSITIVE_INFINITY;
      socket.destroy();
      return false;
    }
    response.once('close', () => {
      one.underWay--;
    });
    // Node reports this when nothing moved, not even a part of what waits. An answer that is still made has time.
    response.on('timeout', () => {
      if (socket.writableLength > 0) socket.destroy();
    });
    return true;
  }

  /**
   * Its client showed a token: connections without one do not cost it its place. False where all places of such clients
   * are taken by requests in progress. Some places are kept for operators: other clients do not get these.
   */
  known({ socket }: IncomingMessage, isOperator: boolean): boolean {
    const one = this.#open.get(socket);
    if (!one || one.known) return true;
    one.known = true;
    this.#strangers--;
    const places = LIMITS.API_CONNECTIONS_MAX - (isOperator ? 0 : LIMITS.API_OPERATORS_KEPT);
    return this.#open.size - this.#strangers <= places || this.#endIdle();
  }

  /** As `known`, for a connection that stays open: it is never idle. */
  keep(request: IncomingMessage, isOperator: boolean): boolean {
    if (!this.known(request, isOperator)) return false;
    const one = this.#open.get(request.socket);
    if (one) one.underWay = Number.POSITIVE_INFINITY;
    return true;
  }

  /** The answer that comes is the last of its connection, whose client is still sending. No further request is done. */
  linger({ socket }: IncomingMessage): void {
    const one = this.#open.get(socket);
    if (one) one.underWay = Number.POSITIVE_INFINITY;
    linger(socket, this.#clock, LIMITS.API_LINGER_MS);
  }

  close(): void {
    this.#shedding?.cancel();
  }

  /** The oldest connection of a client with a token that asks nothing now. */
  #endIdle(): boolean {
    for (const [socket, { known, underWay }] of this.#open) {
      if (!known || underWay > 0) continue;
      socket.destroy();
      return true;
    }
    return false;
  }

  #shed(): void {
    this.#shedding = undefined;
    const byAddress = new Map<string, Socket[]>();
    for (const [socket, { known, address }] of this.#open) {
      if (known || socket.destroyed) continue;
      const own = byAddress.get(address);
      if (own) own.push(socket);
      else byAddress.set(address, [socket]);
    }
    const lists = [...byAddress.values()];
    let left = lists.reduce((sum, { length }) => sum + length, 0);
    for (; left > LIMITS.API_STRANGERS_MAX; left--) {
      const most = lists.reduce((a, b) => (b.length > a.length ? b : a));
      most.shift()!.destroy();
    }
  }
}
