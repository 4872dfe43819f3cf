import { EdgeError, type ErrorBody, isErrorBody } from '../../contract/core.ts';
import { isJson, JSON_ENCODING, MSGPACK } from '../../formats/inference/index.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';

/** A foreign error text is quoted up to a limit. */
const FOREIGN_TEXT_CHARS_MAX = 1000;

/** A typed error as the payload of an error reply, in the encoding the query was asked in. */
export function encodeError(
  body: ErrorBody,
  queryEncoding: string,
): { payload: Uint8Array; encoding: string } {
  if (isJson(queryEncoding)) {
    return { payload: new TextEncoder().encode(JSON.stringify(body)), encoding: JSON_ENCODING };
  }
  return { payload: encodeMsgpack(body), encoding: MSGPACK };
}

/** The typed error in an error reply. A foreign error becomes `zenoh.failed` with its text. */
export function decodeError(payload: Uint8Array, encoding: string, subject: string): ErrorBody {
  try {
    const value: unknown = isJson(encoding)
      ? JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
      : decodeMsgpack(payload);
    if (isErrorBody(value)) return value;
  } catch {
    // Not an error of this project: read it as text below.
  }
  const text = new TextDecoder().decode(payload.subarray(0, FOREIGN_TEXT_CHARS_MAX));
  // The text that Zenoh itself gives when the caller's time is over.
  if (text === 'Timeout') return silent(subject, 'the query timed out').toBody();
  return new EdgeError('zenoh.failed', {
    operation: 'query',
    subject,
    message: text === '' ? 'the queryable answered with an empty error' : text,
  }).toBody();
}

export function silent(subject: string, message: string): EdgeError {
  return new EdgeError('deadline.exceeded', { operation: 'query', subject, message });
}
