import { LIMITS, type Nanoseconds } from '../../../contract/core.ts';

/** The note beside a sample in the key space (its attachment): what the bytes alone do not say. */
export type Note = {
  /** ROS type of the payload, for example `sensor_msgs/msg/LaserScan`. */
  readonly type: string;
  readonly stamp: Nanoseconds;
  /** Who put it: the routes of one process, in hexadecimal; the same over all its sessions. */
  readonly source: string;
  /** Counts the samples of this route and key from 1: a gap is a loss. */
  readonly seq: number;
};

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });
const TYPE = /^\w+\/msg\/\w+$/;
const CDR = 'application/cdr';

/** JSON, so that any language reads it: `{"type":…,"stamp":"ns","source":…,"seq":…}`. */
export function encodeNote({ type, stamp, source, seq }: Note): Uint8Array {
  // All four are of known shape: no character of them needs escaping.
  return encoder.encode(`{"type":"${type}","stamp":"${stamp}","source":"${source}","seq":${seq}}`);
}

/** What of a note can be believed; any client may attach anything. Never throws. */
export function decodeNote(bytes: Uint8Array | undefined): Partial<Note> {
  if (!bytes || bytes.length === 0 || bytes.length > LIMITS.ROUTE_ATTACHMENT_BYTES_MAX || bytes[0] !== 0x7b)
    return {};
  let read: unknown;
  try {
    read = JSON.parse(decoder.decode(bytes));
  } catch {
    return {};
  }
  if (typeof read !== 'object' || read === null) return {};
  const { type, stamp, source, seq } = read as Record<string, unknown>;
  return {
    ...(typeof type === 'string' && isType(type) ? { type } : {}),
    ...(typeof stamp === 'string' && /^\d{1,19}$/.test(stamp) && BigInt(stamp) < 1n << 63n
      ? { stamp: BigInt(stamp) }
      : {}),
    ...(typeof source === 'string' && /^[0-9a-f]{1,64}$/.test(source) ? { source } : {}),
    ...(typeof seq === 'number' && Number.isSafeInteger(seq) && seq > 0 ? { seq } : {}),
  };
}

/** `application/cdr;sensor_msgs/msg/LaserScan`: the type where no note gives it. */
export function encodingOf(type: string): string {
  return `${CDR};${type}`;
}

export function typeOfEncoding(encoding: string): string | undefined {
  if (!encoding.startsWith(`${CDR};`)) return undefined;
  const type = encoding.slice(CDR.length + 1);
  return isType(type) ? type : undefined;
}

export function isType(text: string): boolean {
  return text.length <= 256 && TYPE.test(text);
}

/** Four bytes of encapsulation with a representation that ROS 2 knows: plain or parameter list CDR, either end. */
export function isCdr(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && bytes[0] === 0 && bytes[1]! <= 0x0b;
}
