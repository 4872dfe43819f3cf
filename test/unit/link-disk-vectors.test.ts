import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { signText } from '../../central-link/disk-identity.ts';
import {
  diskManifestChecker,
  diskReceiptsChecker,
  diskReceiptsText,
  diskText,
} from '../../contract/index.ts';
import { leafHash } from '../../formats/merkle/index.ts';

/** Values that another program computed. */
const vectors = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../contract/vectors/link-v2.json'), 'utf8'),
);
const content = (bytes: number) =>
  Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => i * 7 + (i >> 8)));

it('what lies on a removable disk: names of pieces, the manifest, receipts', () => {
  const { pieces, manifest, receipts } = vectors.disk;
  const [push, leaves] = pieces;
  expect(leafHash(Buffer.from(push.text)).toString('hex')).toBe(push.name);
  const data = content(327_681);
  const parts = Array.from({ length: 6 }, (_, i) => leafHash(data.subarray(i * 65_536, (i + 1) * 65_536)));
  expect(leafHash(Buffer.concat(parts)).toString('hex')).toBe(leaves.name);
  expect([diskText(manifest.value), diskReceiptsText(receipts.value)]).toEqual([
    manifest.text,
    receipts.text,
  ]);
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  const secret = Buffer.concat([prefix, Buffer.from(vectors.key.secret, 'hex')]);
  const key = createPrivateKey({ key: secret, format: 'der', type: 'pkcs8' });
  for (const [{ value, text, signature }, checker] of [
    [manifest, diskManifestChecker],
    [receipts, diskReceiptsChecker],
  ]) {
    expect(signText(key, text)).toBe(signature);
    expect(checker.fault({ ...value, signature })).toBeUndefined();
    // Every field is signed: none can be changed, and none added.
    expect(checker.fault({ ...value, signature, more: 1 })).toContain('unknown field');
  }
});
