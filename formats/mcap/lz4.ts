import { malformed } from './malformed.ts';

const FRAME_MAGIC = 0x184d2204;
/** A byte of LZ4 becomes at most 255 bytes: no memory is allocated for a larger declared size. */
const RATIO_MAX = 255;

/**
 * Decompresses one LZ4 frame (lz4.org frame format 1.6) into exactly `size` bytes; for files of other
 * recorders. Checksums are skipped: the chunk around it has its own. Never writes outside `size` bytes;
 * throws `mcap.malformed`.
 */
export function decompressLz4(input: Uint8Array, size: number, base: number, subject: string): Uint8Array {
  const fault = (at: number, message: string) => malformed(subject, base + at, `lz4: ${message}`);
  if (input.length < 7) throw fault(0, 'the frame head is cut off');
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw fault(0, 'not an LZ4 frame');
  const flags = input[4]!;
  if (flags >> 6 !== 1) throw fault(4, `frame version ${flags >> 6}`);
  const blockChecksum = (flags & 0x10) !== 0;
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  if (size > input.length * RATIO_MAX) throw fault(0, `${input.length} bytes cannot hold ${size}`);
  const output = new Uint8Array(size);
  let filled = 0;
  for (;;) {
    if (at + 4 > input.length) throw fault(at, 'a block length is cut off');
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) break;
    const length = word & 0x7fffffff;
    if (at + length > input.length) throw fault(at, `a block of ${length} bytes is cut off`);
    const block = input.subarray(at, at + length);
    if (word >>> 31 === 1) {
      if (filled + length > size) throw fault(at, 'more bytes than the chunk declares');
      output.set(block, filled);
      filled += length;
    } else {
      filled = decompressBlock(block, output, filled, (inBlock, message) => fault(at + inBlock, message));
    }
    at += length + (blockChecksum ? 4 : 0);
  }
  if (filled !== size) throw fault(at, `${filled} bytes where the chunk declares ${size}`);
  return output;
}

/** One block: literals and matches alternate; a match copies from what was already written. */
function decompressBlock(
  block: Uint8Array,
  output: Uint8Array,
  start: number,
  fault: (at: number, message: string) => Error,
): number {
  let at = 0;
  let filled = start;
  const extended = (base: number): number => {
    let length = base;
    if (base !== 15) return length;
    for (;;) {
      const byte = block[at++];
      if (byte === undefined) throw fault(at, 'a length is cut off');
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw fault(at, 'literals are cut off');
    if (filled + literals > output.length) throw fault(at, 'more bytes than the chunk declares');
    output.set(block.subarray(at, at + literals), filled);
    at += literals;
    filled += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw fault(at, 'a match offset is cut off');
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    const length = extended(token & 15) + 4;
    if (distance === 0 || distance > filled) throw fault(at, `a match ${distance} bytes back`);
    if (filled + length > output.length) throw fault(at, 'more bytes than the chunk declares');
    if (distance >= length) {
      output.copyWithin(filled, filled - distance, filled - distance + length);
    } else {
      for (let i = 0; i < length; i++) output[filled + i] = output[filled + i - distance]!;
    }
    filled += length;
  }
  return filled;
}
