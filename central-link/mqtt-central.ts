import {
  type Central,
  type Downlink,
  type LinkBatch,
  type LinkOrders,
  linkOrdersChecker,
  linkReceiptChecker,
  linkWatermarkChecker,
  type MqttAnswer,
  type OrderReport,
  orderReportsTakenChecker,
  orderText,
  type Receipt,
} from '../contract/index.ts';
import type { MqttLine } from './mqtt-line.ts';
import type { ReceiptKeys } from './receipt-keys.ts';

/** The coordinator through a broker. Receipts and orders are checked as over HTTP, besides the answer that has them. */
export class MqttCentral implements Central, Downlink {
  readonly #line: MqttLine;
  readonly #keys: ReceiptKeys;

  constructor(line: MqttLine, keys: ReceiptKeys) {
    this.#line = line;
    this.#keys = keys;
  }

  async watermark(robot: string, epoch: string, lane: string): Promise<Receipt | undefined> {
    const body = this.#body(await this.#line.ask('watermark', { robot, epoch, lane }));
    const { watermark } = this.#line.read(linkWatermarkChecker, body);
    return watermark === null ? undefined : await this.#proven(watermark);
  }

  async push(batch: LinkBatch): Promise<Receipt> {
    const body = this.#body(await this.#line.ask('push', { ...batch }));
    return await this.#proven(this.#line.read(linkReceiptChecker, body));
  }

  async orders(robot: string, waitMs: number): Promise<LinkOrders> {
    const asked = { robot, wait_ms: String(waitMs), v: '2' };
    const found = this.#line.read(
      linkOrdersChecker,
      this.#body(await this.#line.ask('orders', asked, waitMs)),
    );
    for (const order of found.orders) {
      if (order.robot === robot && (await this.#keys.verifyText(orderText(order), order.signature))) continue;
      throw this.#line.error(
        'link.refused',
        `order ${order.order_id} is not signed by central for this robot: no order is taken`,
        'check link.key_file',
      );
    }
    return found;
  }

  async report(robot: string, reports: readonly OrderReport[]): Promise<void> {
    const body = this.#body(await this.#line.ask('reports', { robot, reports }));
    this.#line.read(orderReportsTakenChecker, body);
  }

  close(): Promise<void> {
    return this.#line.close();
  }

  #body(answer: MqttAnswer): unknown {
    if (answer.status === 200) return answer.body;
    throw this.#line.refusal(answer);
  }

  async #proven(receipt: Receipt): Promise<Receipt> {
    if (await this.#keys.verify(receipt)) return receipt;
    throw this.#line.error('link.unreachable', 'the signature of the receipt is wrong');
  }
}
