import { OverflowPages } from './overflow-pages.ts';
import { Turns } from './turns.ts';

/**
 * Reads rows straight from the pages of an SQLite file, for one that SQLite refuses: it is truncated, or its tree is
 * damaged. Format: sqlite.org/fileformat2.html. Only leaf pages of tables are looked at; every fault of a page or row costs
 * that page or row. Nothing that the file says makes the work or the memory grow faster than the file.
 */
const LEAF_TABLE = 0x0d;
const PAGE_BYTES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const HEADER_BYTES = 100;
const COLUMNS_MAX = 32;
/** A row of text is a topic or a definition. */
const TEXT_ROW_BYTES_MAX = 1024 * 1024;
/** The cells of a valid page do not overlap: more than its bytes, a few times over, are not decoded. */
const PAGE_DECODED_MAX = 4;
/** What a cell costs beside its bytes, in the measure of bytes read. */
const CELL_WORK = 512;

export type Value = bigint | string | Uint8Array | number | null;
/** Where the blob of a row stands, that is its last column. */
export type BlobPlace = {
  /** Of its first byte in the file. */
  readonly offset: number;
  /** How many of its bytes are in the page itself. */
  readonly local: number;
  readonly bytes: number;
};
/** A row of a leaf page: its columns without the blob in the last one. */
export type FoundRow = {
  readonly rowId: bigint;
  readonly columns: readonly Value[];
  readonly blob: BlobPlace | undefined;
};
type Cell = { readonly size: number; readonly rowId: bigint; readonly start: number; readonly local: number };

export interface PageFile {
  readonly bytes: number;
  /** Fills `into` from `offset` on; returns how many bytes there were. */
  read(into: Uint8Array, offset: number): number;
}

export class SqlitePages {
  readonly pageBytes: number;
  readonly pages: number;
  /** All that is read is spent here; who walks a generator of this class takes the turns that are due. */
  readonly turns = new Turns();
  readonly #file: PageFile;
  readonly #usable: number;
  readonly #rowBytesMax: number;

  /** `rowBytesMax`: longer rows are left out; nothing larger is allocated. */
  constructor(file: PageFile, rowBytesMax: number) {
    const head = new Uint8Array(HEADER_BYTES);
    file.read(head, 0);
    const view = new DataView(head.buffer);
    const declared = view.getUint16(16) === 1 ? 65_536 : view.getUint16(16);
    // rosbag2 leaves the default of SQLite.
    this.pageBytes = PAGE_BYTES.includes(declared) ? declared : 4096;
    const reserved = head[20]!;
    this.#usable = this.pageBytes - (reserved <= this.pageBytes - 480 ? reserved : 0);
    this.pages = Math.ceil(file.bytes / this.pageBytes);
    this.#file = file;
    this.#rowBytesMax = Math.min(rowBytesMax, file.bytes);
  }

  /** The overflow pages of one pass over the file. */
  overflow(before?: OverflowPages): OverflowPages {
    return new OverflowPages(this.pages, before);
  }

  /** The rows of a page with its number from 1 on, undefined for each cell that is not valid; none of any other page. */
  *rows(number: number, overflow: OverflowPages): Generator<FoundRow | undefined, void> {
    const page = this.#page(number);
    const start = number === 1 ? HEADER_BYTES : 0;
    if (!page || page.length < start + 8 || page[start] !== LEAF_TABLE) return;
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const cells = view.getUint16(start + 3);
    const seen = new Set<number>();
    const budget = { bytes: PAGE_DECODED_MAX * page.length };
    for (let cell = 0; cell < cells; cell++) {
      const pointer = start + 8 + cell * 2;
      if (pointer + 2 > Math.min(this.#usable, page.length)) return;
      const at = view.getUint16(pointer);
      if (seen.has(at) || budget.bytes <= 0) {
        yield undefined;
        continue;
      }
      seen.add(at);
      this.turns.spend(CELL_WORK);
      yield this.#row(page, number, at, overflow, budget);
    }
  }

  /** The last column of a row that `rows` gave; undefined where a page of it is missing or belongs to another row. */
  *blob(place: BlobPlace, overflow: OverflowPages): Generator<void, Uint8Array | undefined> {
    const isWhole = place.local === place.bytes;
    const local = new Uint8Array(place.local + (isWhole ? 0 : 4));
    this.turns.spend(local.length + CELL_WORK);
    if (this.#file.read(local, place.offset) < local.length) return undefined;
    if (isWhole) return local;
    const parts = yield* this.#chain(uint32(local, place.local), place.bytes - place.local, overflow);
    return parts && joined(local.subarray(0, place.local), parts, place.bytes);
  }

  #row(
    page: Uint8Array,
    number: number,
    at: number,
    overflow: OverflowPages,
    budget: { bytes: number },
  ): FoundRow | undefined {
    const cell = this.#cell(page, at);
    if (!cell) return undefined;
    // The head of a row and its small columns are in the page itself, in front of the blob.
    const local = page.subarray(cell.start, cell.start + cell.local);
    const head = columnTypes(local);
    budget.bytes -= head.read;
    if (!head.types) return undefined;
    const { types } = head;
    const sizes = types.map(sizeOf);
    const total = sizes.reduce((sum, size) => sum + size, head.bytes);
    if (total !== cell.size) return undefined;
    budget.bytes -= cell.local;
    const last = types.at(-1);
    const hasBlob = last !== undefined && last >= 12 && last % 2 === 0;
    const whole = hasBlob ? local : this.#text(page, cell, overflow);
    if (!whole) return undefined;
    const columns: Value[] = [];
    let from = head.bytes;
    for (const [i, type] of types.entries()) {
      const size = sizes[i]!;
      if (hasBlob && i === types.length - 1) break;
      if (from + size > whole.length) return undefined;
      columns.push(columnValue(type, whole.subarray(from, from + size)));
      from += size;
    }
    const offset = (number - 1) * this.pageBytes + cell.start + from;
    const blob = hasBlob ? { offset, local: cell.local - from, bytes: cell.size - from } : undefined;
    return { rowId: cell.rowId, columns, blob };
  }

  /** A cell of a leaf: size of its row, id, and how much of the row is in the page. */
  #cell(page: Uint8Array, at: number): Cell | undefined {
    if (at < 8 || at >= this.#usable) return undefined;
    const size = varint(page, at);
    const rowId = size && varint(page, size.next);
    if (!size || !rowId || size.value > BigInt(this.#rowBytesMax) || size.value < 1n) return undefined;
    const bytes = Number(size.value);
    const localMax = this.#usable - 35;
    const localMin = Math.floor(((this.#usable - 12) * 32) / 255) - 23;
    const spread = localMin + ((bytes - localMin) % (this.#usable - 4));
    const local = bytes <= localMax ? bytes : spread <= localMax ? spread : localMin;
    const end = rowId.next + local + (local < bytes ? 4 : 0);
    // A page at the end of a truncated file lacks what stands at its end.
    if (end > page.length) return undefined;
    return { size: bytes, rowId: BigInt.asIntN(64, rowId.value), start: rowId.next, local };
  }

  /** A whole row without a blob; undefined where a page is missing, or it is too long for one. */
  #text(page: Uint8Array, { size, start, local }: Cell, overflow: OverflowPages): Uint8Array | undefined {
    const inPage = page.subarray(start, start + local);
    if (local >= size) return inPage;
    if (size > TEXT_ROW_BYTES_MAX) return undefined;
    const steps = this.#chain(uint32(page, start + local), size - local, overflow);
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done) return step.value && joined(inPage, step.value, size);
    }
  }

  /** The overflow pages of one row, from `first` on; undefined where one is missing, comes twice, or is not its own. */
  *#chain(first: number, bytes: number, overflow: OverflowPages): Generator<void, Uint8Array[] | undefined> {
    const parts: Uint8Array[] = [];
    const pages = new Set<number>();
    let next = first;
    for (let left = bytes; left > 0; ) {
      if (pages.has(next) || !overflow.enter(next)) return undefined;
      pages.add(next);
      const page = this.#page(next);
      const length = Math.min(this.#usable - 4, left);
      if (!page || page.length < 4 + length) return undefined;
      parts.push(page.subarray(4, 4 + length));
      left -= length;
      next = uint32(page, 0);
      yield;
    }
    // The last page of a row leads nowhere; a page that says otherwise belongs to another one.
    if (next !== 0) return undefined;
    overflow.keep(pages);
    return parts;
  }

  /** Fewer bytes where the file ends within the page. */
  #page(number: number): Uint8Array | undefined {
    if (number < 1 || number > this.pages) return undefined;
    this.turns.spend(this.pageBytes);
    const page = new Uint8Array(this.pageBytes);
    const length = this.#file.read(page, (number - 1) * this.pageBytes);
    return length < 16 ? undefined : page.subarray(0, length);
  }
}

function uint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

function joined(local: Uint8Array, parts: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(local);
  let filled = local.length;
  for (const part of parts) {
    out.set(part, filled);
    filled += part.length;
  }
  return out;
}

/** The head of a row: its length, the types of its columns unless it is not valid, and how much of it was read. */
function columnTypes(row: Uint8Array): { bytes: number; read: number; types: number[] | undefined } {
  const length = varint(row, 0);
  if (!length || length.value > BigInt(row.length)) return { bytes: 0, read: 9, types: undefined };
  const bytes = Number(length.value);
  const types: number[] = [];
  let next = length.next;
  while (next < bytes) {
    const type = varint(row, next);
    if (!type || types.length >= COLUMNS_MAX) return { bytes, read: next, types: undefined };
    types.push(Number(type.value));
    next = type.next;
  }
  return { bytes, read: next, types };
}

function varint(bytes: Uint8Array, at: number): { value: bigint; next: number } | undefined {
  let value = 0n;
  for (let i = 0; i < 9; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    if (i === 8) return { value: (value << 8n) | BigInt(byte), next: at + 9 };
    value = (value << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  return undefined;
}

const INTEGER_BYTES = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0];

function sizeOf(type: number): number {
  if (type < 10) return INTEGER_BYTES[type]!;
  return type < 12 ? Number.NaN : Math.floor((type - 12) / 2);
}

function columnValue(type: number, bytes: Uint8Array): Value {
  if (type === 0) return null;
  if (type === 7) return new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  if (type === 8 || type === 9) return BigInt(type - 8);
  if (type >= 12) return type % 2 === 0 ? bytes.slice() : new TextDecoder().decode(bytes);
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return BigInt.asIntN(bytes.length * 8, value);
}
