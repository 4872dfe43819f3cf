/** A segment of a recording, read by ranges of bytes: only what is asked for, and no part twice. Pure. */

/** Bytes from `first` to `last`, both inclusive. */
export type FetchRange = (path: string, first: number, last: number) => Promise<Uint8Array>;

/** Small reads are of whole blocks: index and head of a file take a few requests, not dozens. */
const BLOCK_BYTES = 64 * 1024;
/** What the page keeps of all segments, bytes. */
const KEPT_BYTES_MAX = 64 * 1024 * 1024;
/** A file whose index asks for more at once is not one that this page can read. */
const READ_BYTES_MAX = 64 * 1024 * 1024;

const NEVER = new AbortController().signal;

/** Parts of files, the ones used last. */
export class KeptBytes {
  readonly #parts = new Map<string, Uint8Array>();
  #bytes = 0;

  get(key: string): Uint8Array | undefined {
    const found = this.#parts.get(key);
    if (!found) return undefined;
    this.#parts.delete(key);
    this.#parts.set(key, found);
    return found;
  }

  put(key: string, bytes: Uint8Array): void {
    this.#parts.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, part] of this.#parts) {
      if (this.#bytes <= KEPT_BYTES_MAX) break;
      this.#parts.delete(oldest);
      this.#bytes -= part.length;
    }
  }
}

/** What the MCAP reader wants of a file. Rejects where the robot does, and when `signal` aborts. */
export class SegmentFile {
  readonly #path: string;
  readonly #bytes: number;
  readonly #fetch: FetchRange;
  readonly #kept: KeptBytes;
  readonly #coming = new Map<string, Promise<Uint8Array>>();
  /** Bytes that were asked of the robot. */
  fetched = 0;

  constructor(path: string, bytes: number, fetch: FetchRange, kept: KeptBytes) {
    this.#path = path;
    this.#bytes = bytes;
    this.#fetch = fetch;
    this.#kept = kept;
  }

  async size(): Promise<bigint> {
    return BigInt(this.#bytes);
  }

  async read(offset: bigint, size: bigint, signal = NEVER): Promise<Uint8Array> {
    const [first, length] = [Number(offset), Number(size)];
    if (length === 0) return new Uint8Array(0);
    if (length > READ_BYTES_MAX) throw new Error(`one part of ${this.#path} has ${length} bytes`);
    const block = Math.floor(first / BLOCK_BYTES);
    const isSmall = Math.floor((first + length - 1) / BLOCK_BYTES) - block < 2 && length < BLOCK_BYTES;
    if (!isSmall) return await this.#part(first, first + length - 1, signal);
    const end = Math.min(this.#bytes, (Math.floor((first + length - 1) / BLOCK_BYTES) + 1) * BLOCK_BYTES);
    const from = block * BLOCK_BYTES;
    const bytes = await this.#part(from, end - 1, signal);
    return bytes.subarray(first - from, first - from + length);
  }

  /** Panels that want the same part at the same time wait for one answer. */
  async #part(first: number, last: number, signal: AbortSignal): Promise<Uint8Array> {
    const key = `${this.#path} ${first} ${last}`;
    const kept = this.#kept.get(key);
    if (kept) return kept;
    let coming = this.#coming.get(key);
    if (!coming) {
      coming = this.#ask(key, first, last).finally(() => this.#coming.delete(key));
      coming.catch(() => {});
      this.#coming.set(key, coming);
    }
    signal.throwIfAborted();
    const { promise: left, reject } = Promise.withResolvers<never>();
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    return await Promise.race([coming, left]).finally(() => signal.removeEventListener('abort', leave));
  }

  async #ask(key: string, first: number, last: number): Promise<Uint8Array> {
    const bytes = await this.#fetch(this.#path, first, last);
    if (bytes.length !== last - first + 1)
      throw new Error(`${this.#path}: ${bytes.length} bytes came, expected ${last - first + 1}`);
    this.fetched += bytes.length;
    this.#kept.put(key, bytes);
    return bytes;
  }
}
