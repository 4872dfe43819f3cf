import type { Sample } from '../../../contract/core.ts';
import {
  decodeFloat64MultiArray,
  FLOAT64_MULTI_ARRAY,
  TWIST,
  TWIST_STAMPED,
} from '../../../formats/cdr/index.ts';

const TWIST_BYTES = 48;
const HEADER_BYTES = 4;

/** A velocity of zero in all six axes: with a header it stands at the end of the message. */
export function isStanding({ type, bytes }: Sample): boolean {
  if (type !== TWIST_STAMPED && type !== TWIST) return false;
  const from = type === TWIST_STAMPED ? bytes.byteLength - TWIST_BYTES : HEADER_BYTES;
  if (from < HEADER_BYTES || bytes.byteLength - from < TWIST_BYTES) return false;
  for (let i = from; i < from + TWIST_BYTES; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** Speeds of joints that are all zero. Of positions, zeros are a place to go to: the caller knows the topic. */
export function areZeros({ type, bytes }: Sample): boolean {
  if (type !== FLOAT64_MULTI_ARRAY) return false;
  try {
    return decodeFloat64MultiArray(bytes).every((value) => value === 0);
  } catch {
    return false;
  }
}
