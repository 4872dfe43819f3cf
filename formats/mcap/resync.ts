import { LIMITS } from '../../contract/core.ts';
import { CHUNK_HEAD_BYTES_MAX, chunkHead, isChunkHead } from './chunk-at.ts';
import { MAGIC, MESSAGE_FIELDS_BYTES, OP, RECORD_HEAD_BYTES } from './records.ts';
import type { Window } from './window.ts';

const BLOCK_BYTES = 256 * 1024;
/** Heads that must follow one another where no record can prove itself. */
const CHAIN = 3;
/** Chains that are followed in one file: a hostile one would hold millions of starts. */
const CHAINS_MAX = 50_000;
/** Larger than any record that can be read, and smaller than what random bytes say. */
const LENGTH_MAX = 2 ** 40;

export type RecordHead = { readonly opcode: number; readonly length: number };

/** The head of a record, whatever it says; undefined where the file ends before its last byte. */
export async function headAt(window: Window, at: number): Promise<RecordHead | undefined> {
  const bytes = await window.read(at, RECORD_HEAD_BYTES);
  if (bytes.length < RECORD_HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_HEAD_BYTES);
  return { opcode: view.getUint8(0), length: view.getUint32(1, true) + view.getUint32(5, true) * 2 ** 32 };
}

export async function isMagicAt(window: Window, at: number): Promise<boolean> {
  const bytes = await window.read(at, MAGIC.length);
  return bytes.length === MAGIC.length && MAGIC.every((byte, i) => bytes[i] === byte);
}

function isHead({ opcode, length }: RecordHead): boolean {
  if (opcode === OP.message) return length >= MESSAGE_FIELDS_BYTES && length < LENGTH_MAX;
  return ((opcode >= OP.header && opcode <= OP.dataEnd) || opcode >= 0x80) && length < LENGTH_MAX;
}

/** Whether a record, the end of the file or its closing magic can stand here. */
export async function isBorder(window: Window, at: number): Promise<boolean> {
  if (at === window.size) return true;
  if (at > window.size) return false;
  const head = await headAt(window, at);
  if (head ? isHead(head) : true) return true;
  return isMagicAt(window, at);
}

/**
 * Finds the next record behind damage. A chunk, its indexes and the end of the data prove themselves by lengths that have
 * to agree; other records are believed where `hasLoose` says that the file has messages outside chunks, and only if
 * several of them follow one another. Undefined: nothing more is found.
 */
export class Resync {
  readonly #window: Window;
  #chains = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  async next(from: number, hasLoose: boolean): Promise<number | undefined> {
    for (let at = from; at < this.#window.size; at += BLOCK_BYTES) {
      const block = await this.#window.read(at, BLOCK_BYTES + CHUNK_HEAD_BYTES_MAX);
      // A view may be replaced while a chain is followed.
      const found = await this.#inBlock(block, at, hasLoose);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /**
   * Whether the length of the record at `at` is what is wrong: another one, that differs in one bit, leads to a
   * row of records. Otherwise the record behind it is the damaged one.
   */
  async hasOtherLength(at: number, length: number): Promise<boolean> {
    for (let bit = 0; bit < 32; bit++) {
      const other = bit < 31 ? length ^ (1 << bit) : length - 2 ** 31;
      const end = at + RECORD_HEAD_BYTES + other;
      if (other >= 0 && end < this.#window.size && (await this.#isChain(end))) return true;
    }
    return false;
  }

  async #inBlock(block: Uint8Array, base: number, hasLoose: boolean): Promise<number | undefined> {
    const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
    const end = Math.min(BLOCK_BYTES, block.length - RECORD_HEAD_BYTES);
    for (let i = 0; i < end; i++) {
      const opcode = block[i]!;
      if (opcode === 0 || opcode > OP.dataEnd || view.getUint32(i + 5, true) !== 0) continue;
      const length = view.getUint32(i + 1, true);
      if (provesItself(block, view, i, opcode, length)) return base + i;
      if (!hasLoose || opcode !== OP.message || length < MESSAGE_FIELDS_BYTES) continue;
      if (length > LIMITS.MCAP_CHUNK_BYTES_MAX || this.#chains >= CHAINS_MAX) continue;
      this.#chains += 1;
      if (await this.#isChain(base + i)) return base + i;
    }
    return undefined;
  }

  async #isChain(from: number): Promise<boolean> {
    let at = from;
    for (let count = 0; count < CHAIN; count++) {
      if (at === this.#window.size) return true;
      const head = await headAt(this.#window, at);
      if (!head || !isHead(head)) return false;
      at += RECORD_HEAD_BYTES + head.length;
      if (at > this.#window.size) return false;
    }
    return true;
  }
}

function provesItself(
  block: Uint8Array,
  view: DataView,
  at: number,
  opcode: number,
  length: number,
): boolean {
  const has = (bytes: number) => at + bytes <= block.length;
  switch (opcode) {
    case OP.chunk:
      return isChunkHead(chunkHead(block.subarray(at, at + CHUNK_HEAD_BYTES_MAX)));
    case OP.messageIndex:
      return (
        has(15) && length >= 6 && view.getUint32(at + 11, true) === length - 6 && (length - 6) % 16 === 0
      );
    case OP.dataEnd:
      return (
        length === 4 && has(22) && isHead({ opcode: block[at + 13]!, length: view.getUint32(at + 14, true) })
      );
    case OP.footer:
      return length === 20 && has(37) && MAGIC.every((byte, i) => block[at + 29 + i] === byte);
    default:
      return false;
  }
}
