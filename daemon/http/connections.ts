import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, LIMITS, linger } from '../../contract/index.ts';

/** Keeps one connection from holding more than its share: of requests under way, and of answers nobody reads. */
export class Connections {
  readonly #clock: Clock;
  readonly #underWay = new WeakMap<Socket, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: one request too many. The connection is closed then, and nothing more that it brought is to be done. */
  admit({ socket }: IncomingMessage, response: ServerResponse): boolean {
    const count = (this.#underWay.get(socket) ?? 0) + 1;
    if (count > LIMITS.API_PIPELINED_MAX) {
      // Requests of the same packet still come after this one: they find no place that was given back.
      this.#underWay.set(socket, Number.POSITIVE_INFINITY);
      socket.destroy();
      return false;
    }
    this.#underWay.set(socket, count);
    response.once('close', () => this.#underWay.set(socket, this.#underWay.get(socket)! - 1));
    // Node tells it when nothing moved, not even a part of what waits. An answer that is still made has time.
    response.on('timeout', () => {
      if (socket.writableLength > 0) socket.destroy();
    });
    return true;
  }

  /** The answer that comes is the last of its connection, whose client is still sending. No further request is done. */
  linger({ socket }: IncomingMessage): void {
    this.#underWay.set(socket, Number.POSITIVE_INFINITY);
    linger(socket, this.#clock, LIMITS.API_LINGER_MS);
  }
}
