import { randomFillSync } from 'node:crypto';
import type { RandomBytes } from '../../contract/core.ts';

const POOL_BYTES = 4_096;

/** Random bytes by the page: one question to the kernel for 400 ids. What was given is never given again. */
export function randomPool(): RandomBytes {
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return (length) => {
    if (length > POOL_BYTES) return randomFillSync(new Uint8Array(length));
    if (used + length > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    used += length;
    return pool.slice(used - length, used);
  };
}
