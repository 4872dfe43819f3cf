import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { LINK_SIGNATURE, linkKeyChecker, type Receipt, receiptText } from '../contract/index.ts';

/** Checks the signatures of receipts and orders against a pinned key, or against those that central publishes. */
export class ReceiptKeys {
  readonly #fetchKey: () => Promise<unknown>;
  readonly #keys = new Map<string, KeyObject>();
  readonly #pinned: () => string | undefined;

  /**
   * `pinned`: the only key that counts, read again for a signature of another one; undefined: those that `fetchKey` gets from
   * central, which may throw. Throws where `pinned` is no ed25519 key in PEM.
   */
  constructor(pinned: string | (() => string | undefined) | undefined, fetchKey: () => Promise<unknown>) {
    this.#fetchKey = fetchKey;
    this.#pinned = typeof pinned === 'function' ? pinned : () => pinned;
    const first = this.#pinned();
    if (first !== undefined) this.#add(first);
  }

  verify(receipt: Receipt): Promise<boolean> {
    return this.verifyText(receiptText(receipt), receipt.signature);
  }

  async verifyText(text: string, signed: string): Promise<boolean> {
    const match = LINK_SIGNATURE.exec(signed);
    if (!match) return false;
    const [, keyId, signature] = match as unknown as [string, string, string];
    // An unknown key: central was set up again. Fetched once per signature, never in a loop.
    if (!this.#keys.has(keyId)) {
      const pinned = this.#pinned();
      const key = pinned === undefined ? await this.#fetchKey() : undefined;
      // A robot that was enrolled again has another pinned key; the old one no longer counts then.
      if (pinned !== undefined) {
        this.#keys.clear();
        this.#add(pinned);
      } else if (linkKeyChecker.is(key)) this.#add(key.public_key);
    }
    const key = this.#keys.get(keyId);
    return key !== undefined && verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64url'));
  }

  #add(pem: string): void {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType !== 'ed25519') throw new Error('the key of central is no ed25519 key');
    const der = key.export({ type: 'spki', format: 'der' });
    this.#keys.set(createHash('sha256').update(der).digest('hex').slice(0, 16), key);
  }
}
