import { writeSync } from 'node:fs';

/**
 * Writes to standard output before it returns: what was said survives any death of this process. A full
 * pipe is waited for.
 */
export function say(text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (thrown) {
      if ((thrown as { code?: string }).code !== 'EAGAIN') throw thrown;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
