import { malformed } from './malformed.ts';
import { type AttachmentIndex, RECORD_HEAD_BYTES } from './records.ts';

/** Enough of an attachment to read its names; its data may be larger than memory. */
export const ATTACHMENT_HEAD_BYTES = 64 * 1024;

/** The index entry of the attachment whose record of `length` bytes stands at `at`; `body` is how it starts. */
export function attachmentHead(
  body: Uint8Array,
  at: number,
  length: number,
  subject: string,
): AttachmentIndex {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const fault = () => malformed(subject, at, 'an attachment is truncated');
  if (body.length < 16) throw fault();
  let next = 16;
  const text = (): string => {
    if (next + 4 > body.length) throw fault();
    const end = next + 4 + view.getUint32(next, true);
    if (end > body.length) throw fault();
    const value = new TextDecoder().decode(body.subarray(next + 4, end));
    next = end;
    return value;
  };
  const name = text();
  const mediaType = text();
  if (next + 8 <= body.length && Number(view.getBigUint64(next, true)) > length - next - 12) throw fault();
  return {
    offset: at,
    length: RECORD_HEAD_BYTES + length,
    logTime: view.getBigUint64(0, true),
    createTime: view.getBigUint64(8, true),
    dataSize: Math.max(0, length - next - 12),
    name,
    mediaType,
  };
}
