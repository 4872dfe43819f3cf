import { createHash } from 'node:crypto';

/** The Merkle tree of RFC 6962, section 2.1, with SHA-256: leaves are parts of a file. */

export const HASH_BYTES = 32;

export function leafHash(part: Uint8Array): Buffer {
  return createHash('sha256').update(LEAF).update(part).digest();
}

/** Root over the leaves, `HASH_BYTES` each, laid one behind the other. Throws RangeError without any. */
export function merkleRoot(leaves: Uint8Array): Buffer {
  const count = leaves.byteLength / HASH_BYTES;
  if (!Number.isInteger(count) || count === 0) throw new RangeError('a tree has at least one whole leaf');
  // Folds from the left: a stack of perfect trees, as in the RFC split at the largest power of two.
  const stack: { size: number; hash: Buffer }[] = [];
  for (let i = 0; i < count; i++) {
    stack.push({ size: 1, hash: Buffer.from(leaves.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)) });
    while (stack.length > 1 && stack.at(-1)!.size === stack.at(-2)!.size) join(stack);
  }
  while (stack.length > 1) join(stack);
  return stack[0]!.hash;
}

function join(stack: { size: number; hash: Buffer }[]): void {
  const right = stack.pop()!;
  const left = stack.pop()!;
  const hash = createHash('sha256').update(NODE).update(left.hash).update(right.hash).digest();
  stack.push({ size: left.size + right.size, hash });
}

const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
