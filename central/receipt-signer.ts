import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from 'node:crypto';
import {
  custodyText,
  EdgeError,
  type LinkKey,
  type LinkReceipt,
  type ObjectReceipt,
  type Receipt,
  receiptText,
} from '../contract/index.ts';

/** Signs receipts with ed25519: anybody with the coordinator's public key can check them. */
export class ReceiptSigner {
  readonly #private: KeyObject;
  readonly key: LinkKey;

  /** `pem` is a PKCS #8 private key. Throws `host.missing` where it is not such a key. */
  constructor(pem: string) {
    try {
      this.#private = createPrivateKey(pem);
    } catch (cause) {
      throw unusable((cause as Error).message, cause);
    }
    if (this.#private.asymmetricKeyType !== 'ed25519') throw unusable('it is no ed25519 key');
    const publicKey = createPublicKey(this.#private);
    const der = publicKey.export({ type: 'spki', format: 'der' });
    this.key = {
      algorithm: 'ed25519',
      key_id: createHash('sha256').update(der).digest('hex').slice(0, 16),
      public_key: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    };
  }

  static newKey(): string {
    return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  }

  sign(held: Omit<Receipt, 'signature'>): LinkReceipt {
    return { ...held, signature: this.signText(receiptText(held)) };
  }

  signObject(held: Omit<ObjectReceipt, 'signature'>): ObjectReceipt {
    return { ...held, signature: this.signText(custodyText(held)) };
  }

  signText(text: string): string {
    const signature = sign(null, Buffer.from(text), this.#private).toString('base64url');
    return `ed25519:${this.key.key_id}:${signature}`;
  }
}

function unusable(message: string, cause?: unknown): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'open coordinator',
    subject: 'receipt key',
    message: `the receipt key cannot be used: ${message}`,
    hint: 'restore it from a backup; without it old receipts look like forged ones',
    cause,
  });
}
