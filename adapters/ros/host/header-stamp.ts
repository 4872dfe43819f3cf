import type { Nanoseconds } from '../../../contract/index.ts';
import type { MessageClass } from './vendor.ts';

/** Whether messages of this class start with a std_msgs/Header, whose stamp then lies at bytes 4 to 12. */
export function hasLeadingHeader(message: MessageClass): boolean {
  const first = message.ROSMessageDef?.fields[0]?.type;
  return first !== undefined && first.pkgName === 'std_msgs' && first.type === 'Header' && !first.isArray;
}

const STAMP_AT = 4;
const STAMP_END = 12;

/** The header stamp of a serialized message; 0n when it was never set or cannot be one. */
export function headerStamp(message: Buffer): Nanoseconds {
  if (message.length < STAMP_END) return 0n;
  const little = (message.readUInt8(1) & 1) === 1;
  const seconds = little ? message.readInt32LE(STAMP_AT) : message.readInt32BE(STAMP_AT);
  const nanoseconds = little ? message.readUInt32LE(STAMP_AT + 4) : message.readUInt32BE(STAMP_AT + 4);
  if (seconds < 0 || nanoseconds >= 1_000_000_000) return 0n;
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
}
