import type { Clock } from '../../contract/core.ts';
import type { NativeSession } from './native-types.ts';

/** From this size on the addon passes payloads by reference (`native/src/wire.rs`). */
const EXTERNAL_BYTES_MIN = 16 * 1024;
/** How long `allocate` waits for readers to give shared memory back before it takes the heap. */
const ROOM_MS_MAX = 20;
/**
 * After it waited in vain it does not wait again for this long: readers keep everything, or there is no shared memory.
 */
const NO_ROOM_MS = 1_000;

/** Memory on its way out; `buffer` keeps it until it is handed over. */
export type TakenMemory = { readonly id: number; readonly buffer: ArrayBuffer };

/** Memory that goes out and comes in without a copy. */
export class NativeLoans {
  readonly #session: NativeSession;
  readonly #clock: Clock;
  readonly #ids = new WeakMap<Uint8Array, number>();
  #used = false;
  #hopelessUntilMs = 0;

  constructor(session: NativeSession, clock: Clock) {
    this.#session = session;
    this.#clock = clock;
  }

  /** Shared memory, or heap memory when the readers keep the whole pool; both are sent without a copy. */
  async allocate(bytes: number): Promise<Uint8Array> {
    const begin = this.#clock.monotonicMs();
    const until = begin < this.#hopelessUntilMs ? begin : begin + ROOM_MS_MAX;
    for (;;) {
      const now = this.#clock.monotonicMs();
      const allocation = this.#session.allocate(bytes, now < until);
      if (allocation) {
        this.#used = true;
        if (!allocation.shared && until > begin) this.#hopelessUntilMs = now + NO_ROOM_MS;
        this.#ids.set(allocation.bytes, allocation.id);
        return allocation.bytes;
      }
      await new Promise<void>((resolve) => this.#clock.after(1, resolve));
    }
  }

  /**
   * The allocation that `payload` is, whose view is detached by this: from here on a write of its former owner can
   * no longer change what is sent. Undefined for any other array.
   */
  take(payload: Uint8Array): TakenMemory | undefined {
    if (!this.#used) return undefined;
    const id = this.#ids.get(payload);
    if (id === undefined || !(payload.buffer instanceof ArrayBuffer)) return undefined;
    this.#ids.delete(payload);
    // Moved, not copied. The allocation lives as long as a buffer over it does, and the send may have to wait.
    return { id, buffer: payload.buffer.transfer() };
  }
}

/** Ends a received view at once where it has memory of its own; others end with their batch. */
export function giveBack({ byteLength, buffer }: Uint8Array): void {
  if (byteLength >= EXTERNAL_BYTES_MIN && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) {
    buffer.transfer(0);
  }
}
