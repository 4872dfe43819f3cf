import { EdgeError } from '../../contract/core.ts';
import { messageAt, type RecordSpan, recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { type Definitions, Overlay } from './definitions.ts';
import { type Entries, enterMessage } from './found-index.ts';
import { malformed } from './malformed.ts';
import { MESSAGE_FIELDS_BYTES, OP, RECORD_HEAD_BYTES } from './records.ts';

/** A message among records in memory: its channel as a key of the summary; undefined where nothing defines it. */
export type FoundMessage = {
  readonly key: number | undefined;
  readonly channelId: number;
  readonly logTime: bigint;
  readonly span: RecordSpan;
};

/**
 * Walks the records of a chunk and gives its messages, each with the channel in force where it stands. A record that cannot
 * be read is left out; the first such fault is the result, beside the definitions of the chunk.
 */
export function walkRecords(
  bytes: Uint8Array,
  at: number,
  subject: string,
  definitions: Definitions,
  version: number,
  each: (message: FoundMessage) => void,
): { readonly overlay: Overlay; readonly fault: EdgeError | undefined } {
  const overlay = new Overlay();
  let fault: EdgeError | undefined;
  const note = (error: unknown) => {
    if (!(error instanceof EdgeError)) throw error;
    fault ??= error;
  };
  const spans = recordSpans(bytes, at, subject);
  for (;;) {
    try {
      const { value: span, done } = spans.next();
      if (done) break;
      if (span.opcode === OP.message && span.length >= MESSAGE_FIELDS_BYTES) {
        const { channelId, logTime } = messageAt(bytes, span, at, subject);
        each({ key: definitions.keyOf(channelId, version, overlay), channelId, logTime, span });
      } else if (span.opcode === OP.message) {
        note(malformed(subject, at + span.bodyAt, 'a message has no header'));
      } else if (span.opcode === OP.schema || span.opcode === OP.channel) {
        define(span, overlay);
      }
    } catch (error) {
      note(error);
    }
  }
  return { overlay, fault };

  function define(span: RecordSpan, into: Overlay): void {
    const body = bytes.slice(span.bodyAt, span.bodyAt + span.length);
    const record = decodeRecord(span.opcode, body, at + span.bodyAt, subject);
    if (record.kind === 'schema') definitions.schema(record, into);
    if (record.kind === 'channel') definitions.channel(record, into);
  }
}

/** Counts the messages of a chunk and enters its definitions, which stay in force behind it. */
export function countRecords(
  contents: Uint8Array,
  at: number,
  subject: string,
  definitions: Definitions,
  version: number,
) {
  /** By the key of the channel. */
  const counts = new Map<number, number>();
  /** Messages whose channel nothing defines, by its id. */
  const unknown = new Map<number, number>();
  const entries: Entries = new Map();
  let startTime: bigint | undefined;
  let endTime = 0n;
  const { overlay, fault } = walkRecords(contents, at, subject, definitions, version, (message) => {
    const { key, channelId, logTime, span } = message;
    enterMessage(entries, channelId, logTime, span.bodyAt - RECORD_HEAD_BYTES);
    if (startTime === undefined || logTime < startTime) startTime = logTime;
    if (logTime > endTime) endTime = logTime;
    if (key === undefined) unknown.set(channelId, (unknown.get(channelId) ?? 0) + 1);
    else counts.set(key, (counts.get(key) ?? 0) + 1);
  });
  definitions.commit(overlay);
  const size = overlay.channels.size;
  return { counts, unknown, entries, size, startTime: startTime ?? 0n, endTime, fault };
}
