import type { PageFile } from '../../adapters/rosbag/sqlite-pages.ts';

/** A column of a made-up row; `blob` and `text` say a length that nothing needs to stand behind. */
export type Column = null | 0 | bigint | string | { readonly blob: number } | { readonly text: number };

export function varint(value: number): number[] {
  const out = [value % 128];
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128))
    out.unshift((rest % 128) | 0x80);
  return out;
}

/** A file of SQLite pages that is written by hand, and counts what is read of it. */
export class HostilePages implements PageFile {
  readonly content: Uint8Array;
  readonly pageBytes: number;
  bytesRead = 0;
  /** The most that was read between two turns of the event loop, while `watched` ran. */
  longestRead = 0;
  #sinceTurn = 0;

  constructor(pages: number, pageBytes = 4096) {
    this.pageBytes = pageBytes;
    this.content = new Uint8Array(pages * pageBytes);
    this.content.set(new TextEncoder().encode('SQLite format 3\0'));
    new DataView(this.content.buffer).setUint16(16, pageBytes === 65_536 ? 1 : pageBytes);
  }

  get bytes(): number {
    return this.content.length;
  }

  get pagesRead(): number {
    return this.bytesRead / this.pageBytes;
  }

  read(into: Uint8Array, offset: number): number {
    const part = this.content.subarray(offset, offset + into.length);
    into.set(part);
    this.bytesRead += part.length;
    this.#sinceTurn += part.length;
    this.longestRead = Math.max(this.longestRead, this.#sinceTurn);
    return part.length;
  }

  async watched<T>(work: () => Promise<T>): Promise<T> {
    let isDone = false;
    const turn = () => {
      this.#sinceTurn = 0;
      if (!isDone) setImmediate(turn);
    };
    this.#sinceTurn = 0;
    this.longestRead = 0;
    setImmediate(turn);
    try {
      return await work();
    } finally {
      isDone = true;
    }
  }

  /** Makes `page` a leaf of a table with these cells; `pointers` say which of them it names, all in order by default. */
  leaf(page: number, cells: readonly (readonly number[])[], pointers = [...cells.keys()]): void {
    const start = (page - 1) * this.pageBytes;
    const view = new DataView(this.content.buffer, start, this.pageBytes);
    view.setUint8(0, 0x0d);
    view.setUint16(3, pointers.length);
    let end = this.pageBytes;
    const places = cells.map((cell) => {
      end -= cell.length;
      this.content.set(cell, start + end);
      return end;
    });
    if (end < 8 + 2 * pointers.length) throw new Error(`the cells of page ${page} do not fit`);
    for (const [i, cell] of pointers.entries()) view.setUint16(8 + 2 * i, places[cell]!);
  }

  /** Makes these pages a chain that ends in `end`; each holds its number, again and again. */
  chain(pages: readonly number[], end = 0): void {
    for (const [i, page] of pages.entries()) {
      const start = (page - 1) * this.pageBytes;
      this.content.fill(page % 256, start, start + this.pageBytes);
      new DataView(this.content.buffer).setUint32(start, pages[i + 1] ?? end);
    }
  }

  /** A row, with the first page of its overflow where it is longer than a page takes. */
  cell(rowId: number, columns: readonly Column[], overflow = 0): number[] {
    const types: number[] = [];
    const body: number[] = [];
    let size = 0;
    for (const column of columns) {
      const [type, bytes, length] = stored(column);
      types.push(...varint(type));
      for (const byte of bytes) body.push(byte);
      size += length;
    }
    const head = [...varint(types.length + 1), ...types];
    size += head.length;
    const local = this.local(size);
    const inPage = [...head, ...body].slice(0, local);
    while (inPage.length < local) inPage.push(0x2e);
    const pointer = [24, 16, 8, 0].map((shift) => (overflow >>> shift) & 0xff);
    return [...varint(size), ...varint(rowId), ...inPage, ...(local < size ? pointer : [])];
  }

  /** A message of topic 0 that fills this many overflow pages to their ends. */
  message(rowId: number, pages: number, overflow: number): number[] {
    const size = this.#least + pages * (this.pageBytes - 4);
    const columns = (blob: number): Column[] => [null, 0, BigInt(rowId), { blob }];
    // The head takes a byte for itself and for each of three columns, the time eight.
    const blob = [1, 2, 3, 4, 5, 6].map((bytes) => [size - 12 - bytes, bytes] as const);
    const [fits] = blob.find(([length, bytes]) => varint(length * 2 + 12).length === bytes)!;
    return this.cell(rowId, columns(fits), overflow);
  }

  /** The least that a page keeps of a row that it cannot hold. */
  get #least(): number {
    return Math.floor(((this.pageBytes - 12) * 32) / 255) - 23;
  }

  /** How much of a row of `size` bytes is in its page. */
  local(size: number): number {
    const most = this.pageBytes - 35;
    const spread = this.#least + ((size - this.#least) % (this.pageBytes - 4));
    return size <= most ? size : spread <= most ? spread : this.#least;
  }
}

/** Type, bytes and length of a column. */
function stored(column: Column): [number, Iterable<number>, number] {
  if (column === null) return [0, [], 0];
  if (column === 0) return [8, [], 0];
  if (typeof column === 'bigint') {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, column);
    return [6, bytes, 8];
  }
  if (typeof column === 'string') {
    const bytes = new TextEncoder().encode(column);
    return [bytes.length * 2 + 13, bytes, bytes.length];
  }
  if ('blob' in column) return [column.blob * 2 + 12, [], column.blob];
  return [column.text * 2 + 13, [], column.text];
}
