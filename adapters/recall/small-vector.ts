const SCALE_BYTES = 4;

/** A vector of length 1 in a byte for each value, behind what one unit of them is (float32). */
export function packed(vector: Float32Array): Uint8Array {
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const unit = largest === 0 ? 1 : largest / 127;
  const bytes = new Uint8Array(SCALE_BYTES + vector.length);
  new DataView(bytes.buffer).setFloat32(0, unit, true);
  const values = new Int8Array(bytes.buffer, SCALE_BYTES);
  for (let at = 0; at < vector.length; at++) values[at] = Math.round(vector[at]! / unit);
  return bytes;
}

/** The product of a packed vector with another one; 0 where their sizes differ. */
export function product(bytes: Uint8Array, vector: Float32Array): number {
  if (bytes.byteLength !== vector.length + SCALE_BYTES) return 0;
  const unit = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  const values = new Int8Array(bytes.buffer, bytes.byteOffset + SCALE_BYTES, vector.length);
  let sum = 0;
  for (let at = 0; at < vector.length; at++) sum += values[at]! * vector[at]!;
  return sum * unit;
}
