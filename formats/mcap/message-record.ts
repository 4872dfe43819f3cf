import type { Nanoseconds } from '../../contract/index.ts';
import { MESSAGE_FIELDS_BYTES, OP } from './records.ts';

/**
 * Writes the head of a message record at `at`; the message bytes follow it unchanged. The caller has made
 * room for MESSAGE_HEAD_BYTES. Nothing is allocated: this runs once per sample on the main thread.
 */
export function writeMessageHead(
  view: DataView,
  at: number,
  channelId: number,
  sequence: number,
  logTime: Nanoseconds,
  publishTime: Nanoseconds,
  dataLength: number,
): void {
  const length = MESSAGE_FIELDS_BYTES + dataLength;
  view.setUint8(at, OP.message);
  view.setUint32(at + 1, length >>> 0, true);
  view.setUint32(at + 5, Math.floor(length / 2 ** 32), true);
  view.setUint16(at + 9, channelId, true);
  view.setUint32(at + 11, sequence >>> 0, true);
  view.setBigUint64(at + 15, logTime, true);
  view.setBigUint64(at + 23, publishTime, true);
}
