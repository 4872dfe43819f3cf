/**
 * Reads rows straight from the pages of an SQLite file, for one that SQLite refuses: it is truncated, or its tree is
 * damaged. Format: sqlite.org/fileformat2.html. Only leaf pages of tables are looked at; every fault of a page or row costs
 * that page or row.
 */
const LEAF_TABLE = 0x0d;
const PAGE_BYTES = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
const HEADER_BYTES = 100;
/** Longer rows are no message: a chain of pages that is longer ends here. */
const COLUMNS_MAX = 32;

export type Value = bigint | string | Uint8Array | number | null;
/** A row of a leaf page: where it stands, and its columns without those that are blobs. */
export type FoundRow = {
  readonly rowId: bigint;
  readonly page: number;
  readonly cell: number;
  readonly columns: readonly Value[];
  /** Length of its blob, if its last column is one. */
  readonly blobBytes: number | undefined;
};

export interface PageFile {
  readonly bytes: number;
  /** Fills `into` from `offset` on; returns how many bytes there were. */
  read(into: Uint8Array, offset: number): number;
}

export class SqlitePages {
  readonly pageBytes: number;
  readonly pages: number;
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
    this.#rowBytesMax = rowBytesMax;
  }

  /** The rows of a page with its number from 1 on; empty for any other page. `broken` counts cells that are not valid. */
  rows(number: number): { readonly rows: readonly FoundRow[]; readonly broken: number } {
    const page = this.#page(number);
    const start = number === 1 ? HEADER_BYTES : 0;
    if (!page || page.length < start + 8 || page[start] !== LEAF_TABLE) return { rows: [], broken: 0 };
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const cells = view.getUint16(start + 3);
    const rows: FoundRow[] = [];
    let broken = 0;
    for (let cell = 0; cell < cells; cell++) {
      const at = start + 8 + cell * 2;
      if (at + 2 > Math.min(this.#usable, page.length)) break;
      const row = this.#row(page, number, cell, view.getUint16(at));
      if (row) rows.push(row);
      else broken += 1;
    }
    return { rows, broken };
  }

  /** The last column of a row that `rows` gave; undefined where a page of it is missing. */
  blob(row: FoundRow): Uint8Array | undefined {
    const page = this.#page(row.page);
    if (!page || row.blobBytes === undefined) return undefined;
    const start = row.page === 1 ? HEADER_BYTES : 0;
    const at = new DataView(page.buffer, page.byteOffset).getUint16(start + 8 + row.cell * 2);
    const cell = this.#cell(page, at);
    const payload = cell && this.#payload(page, cell, cell.size);
    return payload?.slice(payload.length - row.blobBytes);
  }

  #row(page: Uint8Array, number: number, index: number, at: number): FoundRow | undefined {
    const cell = this.#cell(page, at);
    if (!cell) return undefined;
    // The head of a row and its small columns are in the page itself, in front of the blob.
    const local = page.subarray(cell.start, cell.start + cell.local);
    const headBytes = varint(local, 0);
    if (!headBytes || headBytes.value > BigInt(local.length)) return undefined;
    const types: number[] = [];
    for (let next = headBytes.next; next < Number(headBytes.value); ) {
      const type = varint(local, next);
      if (!type || types.length >= COLUMNS_MAX) return undefined;
      types.push(Number(type.value));
      next = type.next;
    }
    const sizes = types.map(sizeOf);
    const total = sizes.reduce((sum, size) => sum + size, Number(headBytes.value));
    if (total !== cell.size) return undefined;
    const last = types.at(-1);
    const hasBlob = last !== undefined && last >= 12 && last % 2 === 0;
    const whole = hasBlob ? local : this.#payload(page, cell, cell.size);
    if (!whole) return undefined;
    const columns: Value[] = [];
    let from = Number(headBytes.value);
    for (const [i, type] of types.entries()) {
      const size = sizes[i]!;
      if (hasBlob && i === types.length - 1) break;
      if (from + size > whole.length) return undefined;
      columns.push(columnValue(type, whole.subarray(from, from + size)));
      from += size;
    }
    const blobBytes = hasBlob ? sizes.at(-1)! : undefined;
    return { rowId: cell.rowId, page: number, cell: index, columns, blobBytes };
  }

  /** A cell of a leaf: size of its row, id, and how much of the row is in the page. */
  #cell(page: Uint8Array, at: number) {
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

  /** A row with its overflow pages; undefined where one is missing. */
  #payload(
    page: Uint8Array,
    cell: { size: number; start: number; local: number },
    size: number,
  ): Uint8Array | undefined {
    const out = new Uint8Array(size);
    out.set(page.subarray(cell.start, cell.start + cell.local));
    if (cell.local >= size) return out;
    let filled = cell.local;
    let next = new DataView(page.buffer, page.byteOffset).getUint32(cell.start + cell.local);
    while (filled < size) {
      // Page 1 is the head of the file, and no number may lead outside.
      const more = next > 1 ? this.#page(next) : undefined;
      if (!more) return undefined;
      const part = more.subarray(4, Math.min(this.#usable, 4 + size - filled));
      if (part.length < Math.min(this.#usable - 4, size - filled)) return undefined;
      out.set(part, filled);
      filled += part.length;
      next = new DataView(more.buffer, more.byteOffset).getUint32(0);
      // The last page of a row leads nowhere; a page that says otherwise belongs to another one.
      if (filled >= size && next !== 0) return undefined;
    }
    return out;
  }

  /** Fewer bytes where the file ends within the page. */
  #page(number: number): Uint8Array | undefined {
    if (number < 1 || number > this.pages) return undefined;
    const page = new Uint8Array(this.pageBytes);
    const length = this.#file.read(page, (number - 1) * this.pageBytes);
    return length < 16 ? undefined : page.subarray(0, length);
  }
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
