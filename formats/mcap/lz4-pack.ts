/**
 * LZ4 frames (lz4.org, frame format 1.6) of independent blocks: fast, greedy, about the ratio of the reference
 * compressor at its default. For chunks; checksums are left out, the chunk carries its own.
 */

/** Magic, version 1 with independent blocks, 4 MB blocks, and the header's check byte for just these two. */
const FRAME_HEAD = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73);
const BLOCK_BYTES_MAX = 4 * 1024 * 1024;
const HASH_BITS = 15;
const MATCH_MIN = 4;
/** The format wants the last 5 bytes as literals, and no match to start in the last 12. */
const LITERALS_LAST = 5;
const MATCH_START_LAST = 12;
const DISTANCE_MAX = 65_535;

const heads = new Int32Array(1 << HASH_BITS);

export function compressLz4(parts: readonly Uint8Array[]): Uint8Array {
  const input = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  const blocks = Math.ceil(input.length / BLOCK_BYTES_MAX);
  const output = new Uint8Array(FRAME_HEAD.length + input.length + blocks * 4 + 4);
  const view = new DataView(output.buffer);
  output.set(FRAME_HEAD);
  let at = FRAME_HEAD.length;
  for (let from = 0; from < input.length; from += BLOCK_BYTES_MAX) {
    const block = input.subarray(from, from + BLOCK_BYTES_MAX);
    const room = output.subarray(at + 4, at + 4 + block.length);
    const length = compressBlock(block, room);
    if (length > 0) view.setUint32(at, length, true);
    else {
      // Incompressible: stored as it is.
      view.setUint32(at, (block.length | 0x80000000) >>> 0, true);
      room.set(block);
    }
    at += 4 + (length || block.length);
  }
  view.setUint32(at, 0, true);
  return output.subarray(0, at + 4);
}

/** Bytes written to `output`; 0 when they would not be fewer than those of `input`. */
function compressBlock(input: Uint8Array, output: Uint8Array): number {
  heads.fill(-1);
  const end = input.length;
  const view = new DataView(input.buffer, input.byteOffset, end);
  let filled = 0;
  let anchor = 0;
  const put = (matchLength: number, distance: number, until: number): boolean => {
    const literals = until - anchor;
    const extra = matchLength === 0 ? 0 : matchLength - MATCH_MIN;
    if (filled + literals + Math.floor(literals / 255) + Math.floor(extra / 255) + 5 >= output.length)
      return false;
    const token = filled++;
    output[token] = (Math.min(literals, 15) << 4) | Math.min(extra, 15);
    filled = putLength(output, filled, literals);
    output.set(input.subarray(anchor, until), filled);
    filled += literals;
    if (matchLength === 0) return true;
    output[filled++] = distance & 0xff;
    output[filled++] = distance >> 8;
    filled = putLength(output, filled, extra);
    return true;
  };
  let at = 0;
  let misses = 0;
  while (at < end - MATCH_START_LAST) {
    const word = view.getInt32(at, true);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const candidate = heads[slot]!;
    heads[slot] = at;
    if (candidate < 0 || at - candidate > DISTANCE_MAX || view.getInt32(candidate, true) !== word) {
      // Steps grow while nothing matches, so that incompressible data costs little.
      at += 1 + (misses++ >> 6);
      continue;
    }
    misses = 0;
    let length = MATCH_MIN;
    while (at + length < end - LITERALS_LAST && input[candidate + length] === input[at + length]) length += 1;
    if (!put(length, at - candidate, at)) return 0;
    at += length;
    anchor = at;
  }
  return put(0, 0, end) ? filled : 0;
}

function putLength(output: Uint8Array, from: number, length: number): number {
  let at = from;
  if (length < 15) return at;
  let rest = length - 15;
  for (; rest >= 255; rest -= 255) output[at++] = 255;
  output[at++] = rest;
  return at;
}
