import { OrderDesk } from '../../../../central-link/order-desk.ts';
import type { IdSource, LinkOrder } from '../../../../contract/index.ts';
import type { VirtualDaemon } from './daemon.ts';
import { VirtualProcess } from './process.ts';

/** Orders of central, in the cell of the link: an order that is not decided stays, and is tried again. */
export class Central {
  readonly #daemon: VirtualDaemon;
  readonly #desk: OrderDesk;
  readonly #ids: () => IdSource;
  #order: LinkOrder | undefined;

  constructor(daemon: VirtualDaemon, ids: () => IdSource) {
    this.#daemon = daemon;
    this.#ids = ids;
    const clock = new VirtualProcess('link', daemon.host);
    this.#desk = new OrderDesk({
      ...{ bus: daemon.star.join('link', clock), clock, tenant: 'local', roles: ['operator'] },
      random: () => 0.5,
    });
  }

  /** The order that is still open, or a new one. */
  async settle(to: number): Promise<void> {
    this.#order ??= {
      ...{ robot: 'r1', order_id: this.#ids().next(), kind: 'intent', posted_by: 'tower' },
      ...{ posted_ns: String(this.#daemon.host.now()), signature: '' },
      body: { type: 'pushed/go', params: { to } },
    };
    if ((await this.#desk.settle(this.#order)).length > 0) this.#order = undefined;
  }
}
