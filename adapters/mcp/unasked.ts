import type { Transport } from '@modelcontextprotocol/client';
import { type Clock, LIMITS } from '../../contract/index.ts';

type Handler = NonNullable<Transport['onmessage']>;

/**
 * Counts what a server sends without being asked: notifications, requests, noise. One that sends more than the
 * limit within a second gets `flood` once; later messages are not passed on.
 */
export class Unasked {
  readonly #clock: Clock;
  readonly #flood: () => void;
  #second = 0;
  #count = 0;
  #closed = false;

  constructor(clock: Clock, flood: () => void) {
    this.#clock = clock;
    this.#flood = flood;
  }

  /** Wraps the `onmessage` that the SDK sets on the transport. */
  guard(transport: Transport): void {
    let handler: Handler | undefined;
    const guarded = ((message, extra) => {
      if ('method' in message && !this.note()) return;
      if (!this.#closed) handler?.(message, extra);
    }) as Handler;
    Object.defineProperty(transport, 'onmessage', {
      get: () => (handler ? guarded : undefined),
      set: (next: Handler | undefined) => {
        // A handler that was read here and set again is not wrapped twice.
        if (next !== guarded) handler = next;
      },
    });
  }

  /** False when it was one too many. */
  note(): boolean {
    if (this.#closed) return false;
    const second = Math.floor(this.#clock.monotonicMs() / 1_000);
    this.#count = second === this.#second ? this.#count + 1 : 1;
    this.#second = second;
    if (this.#count <= LIMITS.MCP_UNASKED_PER_SECOND_MAX) return true;
    this.#closed = true;
    this.#flood();
    return false;
  }
}
