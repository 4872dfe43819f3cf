import type { IncomingMessage } from 'node:http';
import { createZstdDecompress, type ZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { EdgeError, LIMITS, parseJson } from '../contract/index.ts';

/**
 * Reads a JSON body, also one that is compressed. Refuses by its declared length before a byte is read, and by its real
 * length while it is read. Throws `api.too_large` or `schema.invalid`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) throw refuse('schema.invalid', '/: a JSON body expected');
  const body = unpacked(request, await readBytes(request, LIMITS.CENTRAL_BODY_BYTES_MAX));
  try {
    return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw refuse('schema.invalid', '/: not JSON in UTF-8');
  }
}

/** A whole body as it came. Throws `api.too_large`. */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = () => refuse('api.too_large', `the body is above ${limit} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // Not destroyed where it is too large: the client could not get the reason then.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Hands the plain bytes of a body to `take` as they come, also those that came before the connection ended. True: the body
 * came whole. Rejects with what `take` throws; `schema.invalid` where it cannot be unpacked.
 */
export async function eachBytes(request: IncomingMessage, take: (bytes: Buffer) => void): Promise<boolean> {
  const unpack = isPacked(request) ? new Unpack(take) : undefined;
  const work = new Chunks(request);
  try {
    for (let chunk = await work.next(); chunk; chunk = await work.next()) {
      if (unpack) await unpack.write(chunk);
      else take(chunk);
    }
    return request.complete;
  } finally {
    work.end();
    unpack?.close();
  }
}

/** Bytes that may wait to be unpacked. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** The chunks of a body. An iterator of the request would drop those that wait when the connection ends. */
class Chunks {
  readonly #request: IncomingMessage;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    request.on('data', this.#add);
    for (const name of ['end', 'error', 'close']) request.on(name, this.#over);
    if (request.destroyed) this.#isOver = true;
  }

  /** Undefined: there are no more. */
  async next(): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0 && !this.#isOver)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    const chunk = this.#chunks.shift();
    this.#bytes -= chunk?.length ?? 0;
    if (this.#bytes < WAITING_BYTES_MAX && this.#request.isPaused()) this.#request.resume();
    return chunk;
  }

  /** What still comes is for others. */
  end(): void {
    this.#request.off('data', this.#add);
  }

  readonly #add = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= WAITING_BYTES_MAX) this.#request.pause();
    this.#wake?.();
  };

  readonly #over = (): void => {
    this.#isOver = true;
    this.#wake?.();
  };
}

/** A stream whose output is complete, as far as its input came, when `write` resolves. */
class Unpack {
  readonly #stream: ZstdDecompress = createZstdDecompress();
  readonly #take: (bytes: Buffer) => void;
  #fault: unknown;
  #wake: (() => void) | undefined;

  constructor(take: (bytes: Buffer) => void) {
    this.#stream.on('error', (error) => {
      this.#fail(refuse('schema.invalid', `/: not zstd: ${error.message}`));
    });
    this.#take = take;
    this.#stream.on('readable', () => this.#drain());
  }

  async write(chunk: Buffer): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.write(chunk, () => resolve());
    });
    this.#drain();
    if (this.#fault !== undefined) throw this.#fault;
  }

  close(): void {
    this.#stream.destroy();
  }

  #drain(): void {
    try {
      for (let bytes = this.#read(); bytes !== null; bytes = this.#read()) this.#take(bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Nothing is read from then on, so that what is being written would never end. */
  #fail(error: unknown): void {
    this.#fault ??= error;
    this.#wake?.();
  }

  #read(): Buffer | null {
    return this.#fault === undefined ? (this.#stream.read() as Buffer | null) : null;
  }
}

function isPacked(request: IncomingMessage): boolean {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding === 'identity') return false;
  if (encoding === 'zstd') return true;
  throw refuse('schema.invalid', `/: content-encoding zstd expected, found ${encoding.slice(0, 32)}`);
}

function unpacked(request: IncomingMessage, body: Buffer): Buffer {
  if (!isPacked(request)) return body;
  const maxOutputLength = LIMITS.CENTRAL_BODY_BYTES_MAX;
  try {
    return zstdDecompressSync(body, { maxOutputLength });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw refuse('api.too_large', `the body is above ${maxOutputLength} bytes`);
    throw refuse('schema.invalid', `/: not zstd: ${(error as Error).message}`);
  }
}

function refuse(code: 'schema.invalid' | 'api.too_large', message: string): EdgeError {
  return new EdgeError(code, { operation: 'read request', subject: 'request body', message });
}
