import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { EdgeError } from '../contract/core.ts';
import type { LinkIdentity } from './link-identity.ts';

/** What a robot shows of itself: certificates in PEM, never the key, and what signs. */
export type DiskIdentity = { readonly certificate: string; readonly key: KeyObject };

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The file of the enrolment holds the private key too: only certificates leave. Throws `config.invalid`. */
export function diskIdentity(identity: LinkIdentity): DiskIdentity {
  const { cert = '', key } = identity.tls() ?? {};
  const certificate = (cert.match(CERTIFICATE) ?? []).join('\n');
  if (certificate !== '' && key !== undefined) return { certificate, key: createPrivateKey(key) };
  throw new EdgeError('config.invalid', {
    ...{ operation: 'export to disk', subject: identity.credentials },
    message: 'this robot has no key of its own, so that central could not know whose disk it is',
    hint: 'auraison central enrol NAME at central, then auraison link enrol URL --token-file - here; or set link.cert_file and link.cert_key_file',
  });
}

/** As LINK.md says: Ed25519 signs the text, a key of another kind its SHA-256. */
export function signText(key: KeyObject, text: string): string {
  const isPlain = key.asymmetricKeyType === 'ed25519';
  const der = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha256').update(der).digest('hex').slice(0, 16);
  const signature = sign(isPlain ? null : 'sha256', Buffer.from(text), key).toString('base64url');
  return `${isPlain ? 'ed25519' : 'sha256'}:${keyId}:${signature}`;
}
