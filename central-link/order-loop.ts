import {
  type CellContext,
  type Downlink,
  EdgeError,
  LIMITS,
  type LinkStatus,
  type OrderReport,
  pause,
} from '../contract/core.ts';
import { Backoff } from '../io/backoff.ts';
import type { OrderDesk } from './order-desk.ts';

export type OrderLoopOptions = {
  readonly robot: string;
  readonly downlink: Downlink;
  readonly desk: OrderDesk;
  readonly random: () => number;
};

type Open = { readonly order_id: string; readonly run_id: string };

/**
 * Fetches orders, has them done, and reports their results, in parallel with the pump of events. Central that is away
 * for days is normal: it keeps its orders, and results that were not reported yet are reported then.
 */
export class OrderLoop {
  readonly #context: CellContext;
  readonly #options: OrderLoopOptions;
  readonly #stop = new AbortController();
  readonly #backoff: Backoff;
  /** Accepted, and their ends not reported, by order. */
  readonly #open = new Map<string, Open>();
  #state: 'connected' | 'disconnected' = 'disconnected';
  #reason = 'not tried yet';
  #running: Promise<unknown> = Promise.resolve();

  constructor(context: CellContext, options: OrderLoopOptions) {
    this.#context = context;
    this.#options = options;
    this.#backoff = new Backoff(options.random);
  }

  start(): void {
    this.#running = Promise.all([this.#fetching(), this.#watching()]);
  }

  /** Does not wait for orders in progress: they are fetched and reported again at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#options.downlink.close();
    const { clock } = this.#context;
    await Promise.race([this.#running, new Promise<void>((done) => void clock.after(1_000, done))]);
  }

  status(): NonNullable<LinkStatus['downlink']> {
    return {
      state: this.#state,
      reason: this.#reason,
      waiting: this.#options.desk.waiting,
      open: this.#open.size,
    };
  }

  async #fetching(): Promise<void> {
    const { clock } = this.#context;
    const { downlink, robot, desk } = this.#options;
    while (!this.#stop.signal.aborted) {
      try {
        const { orders, open } = await downlink.orders(robot, LIMITS.LINK_ORDERS_WAIT_MS);
        this.#connected();
        desk.keepOnly(orders);
        for (const one of open) this.#open.set(one.order_id, one);
        for (const order of orders) {
          if (this.#stop.signal.aborted) return;
          const reports = await desk.settle(order);
          if (reports.length > 0) await this.#tell(reports);
        }
        // Central offers postponed orders again at once: this limits the rate of requests.
        const restMs = orders.length > 0 ? Math.max(desk.restMs(orders), 50) : 0;
        if (restMs > 0) await pause(clock, Math.min(restMs, LIMITS.LINK_POLL_MS), this.#stop.signal);
      } catch (thrown) {
        await this.#failed(thrown);
      }
    }
  }

  /** Ends of runs, reported as soon as they are known. */
  async #watching(): Promise<void> {
    const { clock } = this.#context;
    while (!this.#stop.signal.aborted) {
      await pause(clock, LIMITS.LINK_POLL_MS, this.#stop.signal);
      const open = [...this.#open.values()].slice(0, 256);
      if (open.length === 0 || this.#state === 'disconnected') continue;
      try {
        const ended = await this.#options.desk.ended(open);
        for (let i = 0; i < ended.length; i += 16) await this.#tell(ended.slice(i, i + 16));
      } catch {
        // The runtime or central is away: tried again later.
      }
    }
  }

  async #tell(reports: readonly OrderReport[]): Promise<void> {
    const { downlink, robot } = this.#options;
    await downlink.report(robot, reports);
    for (const { order_id, run_id, state } of reports) {
      if (state === 'accepted' && run_id !== undefined) this.#open.set(order_id, { order_id, run_id });
      else this.#open.delete(order_id);
    }
  }

  #connected(): void {
    this.#backoff.succeeded();
    this.#state = 'connected';
    this.#reason = '';
  }

  async #failed(thrown: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const { clock, report } = this.#context;
    const { code, message } = EdgeError.from(thrown, 'internal.fault', 'fetch orders', 'central');
    const isAway = code === 'link.unreachable' || code === 'deadline.exceeded';
    if (message !== this.#reason)
      report(isAway ? 'debug' : 'warn', 'no orders from central', { code, message });
    this.#state = 'disconnected';
    this.#reason = message;
    this.#backoff.failed(clock.monotonicMs());
    await pause(clock, this.#backoff.restMs(clock.monotonicMs()), this.#stop.signal);
  }
}
