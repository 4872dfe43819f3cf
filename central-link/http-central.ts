import {
  type Central,
  type LinkBatch,
  linkReceiptChecker,
  linkWatermarkChecker,
  type Receipt,
} from '../contract/index.ts';
import { CentralHttp, type CentralHttpOptions } from './central-http.ts';
import { PeerVersion } from './peer-version.ts';
import { ReceiptKeys } from './receipt-keys.ts';

export type HttpCentralOptions = CentralHttpOptions & {
  /** PEM of the only key whose receipts count, or where it is read from; without it the key that central publishes. */
  readonly publicKey?: string | (() => string | undefined);
};

/** The coordinator over HTTP, by LINK.md. Trusts no answer that it cannot check. */
export class HttpCentral implements Central {
  readonly #http: CentralHttp;
  readonly #keys: ReceiptKeys;
  readonly #peer: PeerVersion;

  constructor(options: HttpCentralOptions) {
    this.#http = new CentralHttp(options);
    this.#keys = new ReceiptKeys(options.publicKey, () => publishedKey(this.#http));
    this.#peer = new PeerVersion(this.#http, options.clock);
  }

  async watermark(robot: string, epoch: string, lane: string): Promise<Receipt | undefined> {
    const query = new URLSearchParams({ robot, epoch, lane });
    const { status, json } = await this.#http.request('GET', `link/v1/watermark?${query}`);
    if (status !== 200) throw this.#http.refusal(status, json);
    const { watermark } = this.#http.read(linkWatermarkChecker, json);
    return watermark === null ? undefined : this.#proven(watermark);
  }

  async push(batch: LinkBatch): Promise<Receipt> {
    const compress = (await this.#peer.hello())?.encodings.includes('zstd') ?? false;
    const body = JSON.stringify(batch);
    let { status, json } = await this.#http.post('link/v1/push', body, compress);
    if (status === 400 && compress) {
      // It may have gone back to version 1, which reads plain text only.
      this.#peer.forget();
      ({ status, json } = await this.#http.post('link/v1/push', body, false));
    }
    if (status !== 200) throw this.#http.refusal(status, json);
    return this.#proven(this.#http.read(linkReceiptChecker, json));
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  async #proven(receipt: Receipt): Promise<Receipt> {
    if (await this.#keys.verify(receipt)) return receipt;
    throw this.#http.error(
      'link.unreachable',
      'the signature of the receipt is wrong',
      'check who answers at this address',
    );
  }
}

/** The key that the coordinator publishes, as it came. */
export async function publishedKey(http: CentralHttp): Promise<unknown> {
  const { status, json } = await http.request('GET', 'link/v1/key');
  if (status !== 200) throw http.refusal(status, json);
  return json;
}
