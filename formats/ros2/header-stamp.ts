import type { Nanoseconds } from '../../contract/core.ts';
import { hasHeader } from './definitions.ts';

const STAMP_AT = 4;
const STAMP_END = 12;

/**
 * The stamp of a leading std_msgs/Header without decoding the message. Undefined for a type without one (or
 * one this host does not know, unless the caller says that it `leads`), for bytes too short to hold it, and
 * for a stamp never set.
 */
export function headerStamp(
  type: string,
  bytes: Uint8Array,
  leads = hasHeader(type),
): Nanoseconds | undefined {
  if (!leads || bytes.length < STAMP_END || bytes[0] !== 0 || bytes[1]! > 1) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, STAMP_END);
  const little = bytes[1] === 1;
  const seconds = view.getInt32(STAMP_AT, little);
  const nanoseconds = view.getUint32(STAMP_AT + 4, little);
  if (seconds < 0 || nanoseconds >= 1_000_000_000 || (seconds === 0 && nanoseconds === 0)) return undefined;
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}
