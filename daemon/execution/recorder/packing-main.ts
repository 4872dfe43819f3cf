import { parentPort, workerData } from 'node:worker_threads';
import { constants, zstdCompressSync } from 'node:zlib';
import { compressLz4 } from '../../../formats/mcap/index.ts';
import type { FromPacking, PackingData, ToPacking } from './packing.ts';

/** Entry of the packing thread: compresses chunks one after the other, so it never takes more than one core. */
const port = parentPort!;
const { compression } = workerData as PackingData;

function pack(parts: readonly Uint8Array[]): Uint8Array {
  if (compression === 'lz4') return compressLz4(parts);
  const input = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  // Level 1: robots have little processor to spare, and sensor data gains little by more.
  return zstdCompressSync(input, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

port.on('message', ({ id, parts }: ToPacking) => {
  const packed = pack(parts);
  // Memory of its own, without what the compressor reserved: it is given away.
  const bytes = new Uint8Array(packed.length);
  bytes.set(packed);
  port.postMessage({ id, bytes } satisfies FromPacking, [bytes.buffer]);
});
