import type { IncomingMessage } from 'node:http';
import { LIMITS } from '../../contract/index.ts';

const EMPTY = Buffer.alloc(0);
const END = Buffer.from('\r\n\r\n');

/**
 * The bytes of one connection since the start of the request whose head the HTTP parser has not taken yet. It is known where
 * each request starts: what a body says is never taken for a head.
 */
export class HeadTape {
  #bytes: Buffer = EMPTY;
  /** Of the body of the request before: so many bytes are still to come. */
  #skip = 0;
  /** The request before says nothing of its length: where it ends is not known, or not yet. */
  #endless: IncomingMessage | undefined;
  /** The last four bytes that came since then. */
  #tail: Buffer = EMPTY;

  get bytes(): Buffer {
    return this.#bytes;
  }

  get isFull(): boolean {
    return this.#bytes.length >= LIMITS.STOP_HEAD_BYTES_MAX;
  }

  /** The next bytes, before the parser has them. */
  add(chunk: Buffer): void {
    // After the end of a message no part of a head ends like this: a whole one would have been taken.
    if (this.#endless?.complete === true && this.#tail.equals(END)) this.#endless = undefined;
    if (this.#endless) {
      this.#tail = Buffer.concat([this.#tail, chunk.subarray(-END.length)]).subarray(-END.length);
      return;
    }
    const rest = chunk.subarray(Math.min(this.#skip, chunk.length));
    this.#skip -= chunk.length - rest.length;
    const room = LIMITS.STOP_HEAD_BYTES_MAX - this.#bytes.length;
    if (rest.length > 0 && room > 0) this.#bytes = joined(this.#bytes, rest.subarray(0, room));
  }

  /** The parser has taken the head of this request. */
  taken(request: IncomingMessage): void {
    const { 'transfer-encoding': coding, 'content-length': length } = request.headers;
    const start = this.#bytes.findIndex((byte) => byte !== 13 && byte !== 10);
    const end = this.#bytes.indexOf(END, Math.max(0, start));
    const bytes = this.#bytes;
    this.#bytes = EMPTY;
    if (this.#endless || end < 0 || coding !== undefined) {
      if (!this.#endless) this.#tail = Buffer.from(bytes.subarray(-END.length));
      this.#endless = request;
      return;
    }
    this.#skip = Number(length ?? 0);
    this.add(bytes.subarray(end + END.length));
  }
}

function joined(a: Buffer, b: Buffer): Buffer {
  return a.length === 0 ? b : Buffer.concat([a, b]);
}
