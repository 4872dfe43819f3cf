import {
  type Downlink,
  LIMITS,
  type LinkOrders,
  linkOrdersChecker,
  type OrderReport,
  orderReportsTakenChecker,
  orderText,
} from '../contract/index.ts';
import { CentralHttp } from './central-http.ts';
import { type HttpCentralOptions, publishedKey } from './http-central.ts';
import { ReceiptKeys } from './receipt-keys.ts';

/** Orders of the coordinator over HTTP, by LINK.md. An order that is not signed for this robot is ignored. */
export class HttpDownlink implements Downlink {
  readonly #http: CentralHttp;
  readonly #keys: ReceiptKeys;

  constructor(options: HttpCentralOptions) {
    this.#http = new CentralHttp(options);
    this.#keys = new ReceiptKeys(options.publicKey, () => publishedKey(this.#http));
  }

  async orders(robot: string, waitMs: number): Promise<LinkOrders> {
    const query = new URLSearchParams({ robot, wait_ms: String(waitMs), v: '2' });
    const path = `link/v1/orders?${query}`;
    const { status, json } = await this.#http.request('GET', path, undefined, LIMITS.LINK_ORDERS_BYTES_MAX);
    if (status !== 200) throw this.#http.refusal(status, json);
    const found = this.#http.read(linkOrdersChecker, json);
    for (const order of found.orders) {
      if (order.robot === robot && (await this.#keys.verifyText(orderText(order), order.signature))) continue;
      throw this.#http.error(
        'link.refused',
        `order ${order.order_id} is not signed by central for this robot: no order is taken`,
        'check who answers at this address, and link.key_file',
      );
    }
    return found;
  }

  async report(robot: string, reports: readonly OrderReport[]): Promise<void> {
    const { status, json } = await this.#http.request(
      'POST',
      'link/v1/reports',
      JSON.stringify({ robot, reports }),
    );
    if (status !== 200) throw this.#http.refusal(status, json);
    this.#http.read(orderReportsTakenChecker, json);
  }

  async close(): Promise<void> {
    this.#http.close();
  }
}
