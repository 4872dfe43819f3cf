import type { Order, Settled } from './shown.ts';

type Message = Extract<Order, { readonly do: 'message' }>;
type Flying = { readonly order: Message; stopped: boolean };

/** Words that wait here at most; more are refused to the person. */
const QUEUE_MAX = 64;

/**
 * Messages on their way to the daemon, one at a time, so that they arrive in the order in which they were said. A stop
 * passes all of them. Nothing is sent twice: what may be lost is looked for in the events. Pure.
 */
export class Outbox {
  readonly #queue: Message[] = [];
  #flying: Flying | undefined;
  #stop: Message | undefined;
  #stopUnsure = false;
  /** Sent over a connection that broke. */
  readonly #unsure = new Map<string, Message>();

  get busy(): boolean {
    return this.#flying !== undefined || this.#queue.length > 0 || this.#stop !== undefined;
  }

  /** Undefined: too much waits. */
  add(order: Message): readonly Order[] | undefined {
    if (this.#queue.length >= QUEUE_MAX) return undefined;
    this.#queue.push(order);
    return this.#next();
  }

  /** Drops what was not sent yet; says what. */
  stop(order: Message): { readonly orders: readonly Order[]; readonly dropped: readonly Message[] } {
    const dropped = this.#queue.splice(0);
    if (this.#flying) this.#flying.stopped = true;
    this.#stop = order;
    this.#stopUnsure = false;
    return { orders: [order], dropped };
  }

  settled(id: string, { as }: Settled, again: () => Message): readonly Order[] {
    if (this.#stop?.id === id) {
      if (as === 'unsure') this.#stopUnsure = true;
      else this.#stop = undefined;
      return this.#next();
    }
    if (this.#flying?.order.id !== id) return [];
    const { order, stopped } = this.#flying;
    this.#flying = undefined;
    if (as === 'unsure') this.#unsure.set(id, order);
    // It may have reached the daemon after the stop that was said later: the stop is said once more.
    if (stopped && as !== 'refused') {
      this.#stop = again();
      this.#stopUnsure = false;
      return [this.#stop, ...this.#next()];
    }
    return this.#next();
  }

  /** The daemon has it. */
  heard(id: string): boolean {
    if (this.#stop?.id === id && this.#stopUnsure) this.#stop = undefined;
    return this.#unsure.delete(id);
  }

  /** All events are here: what is not among them was not heard. A stop is sent again. */
  caughtUp(): { readonly orders: readonly Order[]; readonly lost: readonly Message[] } {
    const lost = [...this.#unsure.values()];
    this.#unsure.clear();
    if (!this.#stop || !this.#stopUnsure) return { orders: [], lost };
    this.#stopUnsure = false;
    return { orders: [this.#stop], lost };
  }

  #next(): readonly Order[] {
    if (this.#flying) return [];
    const order = this.#queue.shift();
    if (!order) return [];
    this.#flying = { order, stopped: false };
    return [order];
  }
}
