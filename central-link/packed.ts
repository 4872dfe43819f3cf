import { constants, createZstdCompress } from 'node:zlib';
import { LIMITS } from '../contract/core.ts';

/** Smaller by at least this, else it goes as it is. */
const GAIN = 0.95;

/**
 * The bytes compressed, flushed every `LINK_FLUSH_BYTES`, so that what arrives before a cut can be read; undefined where they
 * do not become smaller.
 */
export async function packed(bytes: Uint8Array): Promise<Buffer | undefined> {
  const stream = createZstdCompress();
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  for (let at = 0; at < bytes.length; at += LIMITS.LINK_FLUSH_BYTES) {
    stream.write(bytes.subarray(at, at + LIMITS.LINK_FLUSH_BYTES));
    stream.flush(constants.ZSTD_e_flush);
  }
  stream.end();
  await end;
  const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  return size < bytes.length * GAIN ? Buffer.concat(chunks, size) : undefined;
}
