/**
 * A gap in front of a message record in memory: it puts the data where a copy is several times faster (as far
 * from a word border as the source is), and carries the CRC of that data, which is cheapest while it is copied.
 * Gaps are never written to a file. Layout: u8 0 (no record of MCAP), u8 length of the gap, u16 0, u32 CRC-32.
 */
export const GAP_OPCODE = 0x00;
const GAP_BYTES_MIN = 8;
export const GAP_BYTES_MAX = 15;

/** Bytes of a gap at `at` that bring `at + gap + before` to the remainder `target` of 8. */
export function gapBytes(at: number, before: number, target: number): number {
  return GAP_BYTES_MIN + ((target - at - GAP_BYTES_MIN - before) & 7);
}

export function writeGap(view: DataView, at: number, bytes: number, dataCrc: number): void {
  view.setUint8(at, GAP_OPCODE);
  view.setUint8(at + 1, bytes);
  view.setUint16(at + 2, 0, true);
  view.setUint32(at + 4, dataCrc, true);
}

export function gapAt(view: DataView, at: number): { readonly bytes: number; readonly dataCrc: number } {
  return { bytes: view.getUint8(at + 1), dataCrc: view.getUint32(at + 4, true) };
}
