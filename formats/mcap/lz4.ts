import { malformed } from './malformed.ts';

const FRAME_MAGIC = 0x184d2204;
/** A byte of LZ4 becomes at most 255 bytes: no memory is allocated for a larger declared size. */
const RATIO_MAX = 255;

/** What a frame gave: its bytes, and why they are not all, where they are not. */
type Unpacked = { readonly bytes: Uint8Array; readonly fault: Error | undefined };

/**
 * As much of one LZ4 frame (lz4.org frame format 1.6) as can be decompressed, at most `sizeMax` bytes; for files of other
 * recorders. Checksums are skipped: the chunk around it has its own. Never throws; `fault` is `mcap.malformed`.
 */
export function unpackLz4(input: Uint8Array, sizeMax: number, base: number, subject: string): Unpacked {
  const output = new Uint8Array(Math.min(sizeMax, input.length * RATIO_MAX));
  const state = { filled: 0 };
  try {
    frame(input, output, state, (at, message) => malformed(subject, base + at, `lz4: ${message}`));
    return { bytes: output.subarray(0, state.filled), fault: undefined };
  } catch (error) {
    return { bytes: output.subarray(0, state.filled), fault: error as Error };
  }
}

type Fault = (at: number, message: string) => Error;

function frame(input: Uint8Array, output: Uint8Array, state: { filled: number }, fault: Fault): void {
  if (input.length < 7) throw fault(0, 'the frame head is truncated');
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw fault(0, 'not an LZ4 frame');
  const flags = input[4]!;
  if (flags >> 6 !== 1) throw fault(4, `frame version ${flags >> 6}`);
  const blockChecksum = (flags & 0x10) !== 0;
  let at = 7 + ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  for (;;) {
    if (at + 4 > input.length) throw fault(at, 'a block length is truncated');
    const word = view.getUint32(at, true);
    at += 4;
    if (word === 0) return;
    const length = word & 0x7fffffff;
    const block = input.subarray(at, at + length);
    if (word >>> 31 === 1) {
      const stored = block.subarray(0, output.length - state.filled);
      output.set(stored, state.filled);
      state.filled += stored.length;
      if (stored.length < block.length) throw fault(at, 'more bytes than the chunk declares');
    } else {
      decompressBlock(block, output, state, (inBlock, message) => fault(at + inBlock, message));
    }
    if (block.length < length) throw fault(at, `a block of ${length} bytes is truncated`);
    at += length + (blockChecksum ? 4 : 0);
  }
}

/** One block: literals and matches alternate; a match copies from what was already written. */
function decompressBlock(
  block: Uint8Array,
  output: Uint8Array,
  state: { filled: number },
  fault: Fault,
): void {
  let at = 0;
  const extended = (base: number): number => {
    let length = base;
    if (base !== 15) return length;
    for (;;) {
      const byte = block[at++];
      if (byte === undefined) throw fault(at, 'a length is truncated');
      length += byte;
      if (byte !== 255) return length;
    }
  };
  while (at < block.length) {
    const token = block[at++]!;
    const literals = extended(token >> 4);
    if (at + literals > block.length) throw fault(at, 'literals are truncated');
    if (state.filled + literals > output.length) throw fault(at, 'more bytes than the chunk declares');
    output.set(block.subarray(at, at + literals), state.filled);
    at += literals;
    state.filled += literals;
    if (at === block.length) break;
    if (at + 2 > block.length) throw fault(at, 'a match offset is truncated');
    const distance = block[at]! | (block[at + 1]! << 8);
    at += 2;
    const length = extended(token & 15) + 4;
    const { filled } = state;
    if (distance === 0 || distance > filled) throw fault(at, `a match ${distance} bytes back`);
    if (filled + length > output.length) throw fault(at, 'more bytes than the chunk declares');
    if (distance >= length) {
      output.copyWithin(filled, filled - distance, filled - distance + length);
    } else {
      for (let i = 0; i < length; i++) output[filled + i] = output[filled + i - distance]!;
    }
    state.filled += length;
  }
}
