import { CONGESTED, type RemotePut } from './remote-messages.ts';

/**
 * Bytes in the socket before further values wait here instead: small, because what is in the socket can no
 * longer be overtaken, and below the 2 MB at which zenoh-ts itself waits and would mix the order.
 */
const SOCKET_BYTES_MAX = 256 * 1024;
/** Bytes waiting here before a value that must not wait is dropped. */
const DROP_BYTES_MAX = 8 * 1024 * 1024;
const PRIORITIES = 7;

/** The socket as far as the outbox needs it. */
export type Outlet = {
  readonly bufferedBytes: () => number;
  readonly send: (put: RemotePut) => Promise<void>;
  /** Settles a little later, when the socket may have drained. */
  readonly later: () => Promise<void>;
  readonly done: (ticket: number, error?: string) => void;
};

/** Values waiting for the socket: first by priority, then in order. */
export class RemoteOutbox {
  readonly #queues: RemotePut[][] = Array.from({ length: PRIORITIES + 1 }, () => []);
  readonly #outlet: Outlet;
  #bytes = 0;
  #running = false;

  constructor(outlet: Outlet) {
    this.#outlet = outlet;
  }

  push(put: RemotePut): void {
    const size = put.payload?.byteLength ?? 0;
    if (!put.block && this.#bytes > 0 && this.#bytes + size > DROP_BYTES_MAX) {
      this.#outlet.done(put.ticket, CONGESTED);
      return;
    }
    this.#bytes += size;
    this.#queues[put.priority]!.push(put);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    for (;;) {
      // Waits for room first and chooses then, so that values that became urgent go first.
      while (this.#outlet.bufferedBytes() > SOCKET_BYTES_MAX) await this.#outlet.later();
      const put = this.#next();
      if (!put) break;
      this.#bytes -= put.payload?.byteLength ?? 0;
      try {
        await this.#outlet.send(put);
        this.#outlet.done(put.ticket);
      } catch (thrown) {
        this.#outlet.done(put.ticket, thrown instanceof Error ? thrown.message : String(thrown));
      }
    }
    this.#running = false;
  }

  #next(): RemotePut | undefined {
    return this.#queues.find((queue) => queue.length > 0)?.shift();
  }
}
