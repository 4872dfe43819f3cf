import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { EdgeError } from '../../contract/core.ts';

/** Public keys whose signatures count, by name. */
export type TrustedKeys = ReadonlyMap<string, KeyObject>;

/** What is signed: the digest, and for what it stands. */
function wordsOf(digest: string): Uint8Array {
  return Buffer.from(`auraison-app 1\n${digest}\n`);
}

/** Name of the key that signed this digest; undefined: none of these. `signature` is base64. */
export function signerOf(
  digest: string,
  signature: string | undefined,
  keys: TrustedKeys,
): string | undefined {
  if (signature === undefined || !/^[A-Za-z0-9+/]{86}==$/.test(signature)) return undefined;
  const bytes = Buffer.from(signature, 'base64');
  for (const [name, key] of keys) if (verify(null, wordsOf(digest), key, bytes)) return name;
  return undefined;
}

/** A detached signature in base64. `pem`: a private Ed25519 key. Throws `config.invalid`. */
export function signDigest(digest: string, pem: string): string {
  return sign(
    null,
    wordsOf(digest),
    keyOf(() => createPrivateKey(pem), 'private key'),
  ).toString('base64');
}

/** A public Ed25519 key in PEM. Throws `config.invalid`. */
export function trustedKey(pem: string, subject: string): KeyObject {
  return keyOf(() => createPublicKey(pem), subject);
}

function keyOf(read: () => KeyObject, subject: string): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = read();
  } catch {
    // Said below: OpenSSL's words name no file.
  }
  if (key?.asymmetricKeyType === 'ed25519') return key;
  throw new EdgeError('config.invalid', {
    operation: 'read key',
    subject,
    message: `${subject}: an Ed25519 key in PEM is expected`,
    hint: 'openssl genpkey -algorithm ed25519 -out my.key && openssl pkey -in my.key -pubout -out my.pem',
  });
}
