import { createHash } from 'node:crypto';
import {
  custodyText,
  type LinkCustody,
  type LinkObject,
  linkCustodyChecker,
  linkRefusalChecker,
  type ObjectCentral,
  type ObjectStanding,
  objectIdText,
  objectStandingChecker,
  type PutReply,
} from '../contract/index.ts';
import { CentralHttp, type Reply } from './central-http.ts';
import { type HttpCentralOptions, publishedKey } from './http-central.ts';
import { packed } from './packed.ts';
import { PeerVersion } from './peer-version.ts';
import { ReceiptKeys } from './receipt-keys.ts';

/** Pieces of a file that are sent as they are after one that did not become smaller. */
const PLAIN_PIECES = 16;

/** Files to the coordinator over HTTP, by LINK.md. Trusts no receipt that it cannot check. */
export class HttpObjects implements ObjectCentral {
  readonly #http: CentralHttp;
  readonly #keys: ReceiptKeys;
  readonly #peer: PeerVersion;
  /** Pieces of which object are sent as they are, and how many more. */
  #plain = { sha256: '', pieces: 0 };

  constructor(options: HttpCentralOptions) {
    this.#http = new CentralHttp(options);
    this.#keys = new ReceiptKeys(options.publicKey, () => publishedKey(this.#http));
    this.#peer = new PeerVersion(this.#http, options.clock);
  }

  async partBytesMax(): Promise<number | undefined> {
    const hello = await this.#peer.hello();
    return hello?.versions.includes(2) ? hello.part_bytes_max : undefined;
  }

  async custody(robot: string, head: string): Promise<LinkCustody | undefined> {
    const { status, json } = await this.#http.request('GET', `link/v2/custody?robot=${robot}&head=${head}`);
    // Coordinators of version 2 had no such answer at first.
    if (status === 400 || status === 404 || status === 405) return undefined;
    if (status !== 200) throw this.#http.refusal(status, json);
    return this.#http.read(linkCustodyChecker, json);
  }

  async offer(object: LinkObject): Promise<ObjectStanding> {
    const reply = await this.#http.request('POST', 'link/v2/objects', JSON.stringify(object));
    // It may have gone back to version 1.
    if (reply.status === 404) this.#peer.forget();
    return await this.#standing(object, reply);
  }

  async tree(object: LinkObject, leaves: Uint8Array): Promise<ObjectStanding> {
    return await this.#standing(object, await this.#http.send(`${addressOf(object)}/tree`, leaves));
  }

  async put(object: LinkObject, offset: number, bytes: Uint8Array): Promise<PutReply> {
    const address = `${addressOf(object)}?offset=${offset}`;
    const isPlain = this.#plain.sha256 === object.sha256 && this.#plain.pieces > 0;
    const small = isPlain ? undefined : await packed(bytes);
    if (small) {
      const reply = await this.#http.send(address, small, 'zstd');
      return { standing: await this.#standing(object, reply), lineBytes: small.length };
    }
    this.#plain = { sha256: object.sha256, pieces: isPlain ? this.#plain.pieces - 1 : PLAIN_PIECES };
    const reply = await this.#http.send(address, bytes);
    return { standing: await this.#standing(object, reply), lineBytes: bytes.length };
  }

  async close(): Promise<void> {
    this.#http.close();
  }

  async #standing(object: LinkObject, { status, json }: Reply): Promise<ObjectStanding> {
    if (status === 404 && linkRefusalChecker.is(json)) throw this.#http.error(json.code, json.message);
    if (status !== 200) throw this.#http.refusal(status, json);
    const standing = this.#http.read(objectStandingChecker, json);
    if (standing.state !== 'held') return standing;
    const { receipt } = standing;
    const isOurs =
      objectIdText(receipt) === objectIdText(object) &&
      receipt.bytes === object.bytes &&
      (await this.#keys.verifyText(custodyText(receipt), receipt.signature));
    if (isOurs) return standing;
    throw this.#http.error(
      'link.unreachable',
      'the receipt is not one of central for this object',
      'check who answers at this address',
    );
  }
}

function addressOf(object: LinkObject): string {
  return `link/v2/objects/${createHash('sha256').update(objectIdText(object)).digest('hex').slice(0, 32)}`;
}
