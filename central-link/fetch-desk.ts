import { EdgeError, type LinkOrder } from '../contract/core.ts';
import type { CustodyBook } from './custody-book.ts';
import type { ObjectSender, Range } from './object-sender.ts';

export type FetchDeskParts = {
  readonly book: Pick<CustodyBook, 'find'>;
  readonly sender: Pick<ObjectSender, 'want' | 'has'>;
  /** Bytes of a bag that a reader needs for these times, nanoseconds; its head and its index too. */
  readonly rangesOf: (path: string, fromNs: bigint, toNs: bigint) => Promise<readonly Range[]>;
};

/** What central asks for of a file before its turn. It needs no memory: central repeats an order until it is reported. */
export class FetchDesk {
  readonly #parts: FetchDeskParts;

  constructor(parts: FetchDeskParts) {
    this.#parts = parts;
  }

  /** True: central has it. Throws `schema.invalid`, `link.refused` where there is no such file, `cell.overloaded`. */
  async fetch({ body, order_id }: Pick<LinkOrder, 'body' | 'order_id'>): Promise<boolean> {
    const { book, sender, rangesOf } = this.#parts;
    const name = body['name'];
    if (typeof name !== 'string')
      throw fault('schema.invalid', order_id, '/name: the name of an object expected');
    const found = book.find(name);
    if (!found || found.state === 'gone')
      throw fault('link.refused', name, found ? 'the file is gone' : 'no such file waits for central');
    if (found.state === 'held') return true;
    const { from, to, from_ns: fromNs, to_ns: toNs } = body;
    const ranges =
      fromNs !== undefined || toNs !== undefined
        ? await rangesOf(name, timeOf(fromNs, 0n, order_id), timeOf(toNs, 2n ** 63n, order_id))
        : [[byteOf(from, 0, order_id), Math.min(byteOf(to, found.bytes, order_id), found.bytes)] as const];
    if (sender.has(name, ranges)) return true;
    sender.want(name, ranges);
    return false;
  }
}

function timeOf(value: unknown, otherwise: bigint, subject: string): bigint {
  if (value === undefined) return otherwise;
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,18})$/.test(value)) return BigInt(value);
  throw fault('schema.invalid', subject, '/from_ns, /to_ns: nanoseconds as text expected');
}

function byteOf(value: unknown, otherwise: number, subject: string): number {
  if (value === undefined) return otherwise;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw fault('schema.invalid', subject, '/from, /to: whole numbers of bytes expected');
}

function fault(code: 'schema.invalid' | 'link.refused', subject: string, message: string): EdgeError {
  return new EdgeError(code, { operation: 'fetch', subject: subject.slice(0, 256), message });
}
