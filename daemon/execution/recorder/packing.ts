import { Worker } from 'node:worker_threads';
import { SMALL_THREAD } from '../../../contract/core.ts';
import type { Packed } from '../../../formats/mcap/index.ts';

export type Compression = 'none' | 'zstd' | 'lz4';
export type PackingData = { readonly compression: 'zstd' | 'lz4' };
export type ToPacking = { readonly id: number; readonly parts: readonly Uint8Array[] };
export type FromPacking = { readonly id: number; readonly bytes: Uint8Array };

/**
 * Compresses chunks in a thread of its own, from the shared memory in which their samples lie. Order is the
 * business of the caller. If the thread fails, chunks are written as they are: compression never costs a sample.
 */
export class Packing {
  readonly #compression: 'zstd' | 'lz4';
  readonly #onFault: (message: string) => void;
  readonly #waiting = new Map<number, (packed: Packed | undefined) => void>();
  #worker: Worker | undefined;
  #hasFailed = false;
  #nextId = 1;

  constructor(compression: 'zstd' | 'lz4', onFault: (message: string) => void) {
    this.#compression = compression;
    this.#onFault = onFault;
  }

  /** The records of `parts`, compressed; undefined where it failed or made them no smaller. Never rejects. */
  pack(parts: readonly Uint8Array[], size: number): Promise<Packed | undefined> {
    if (this.#hasFailed) return Promise.resolve(undefined);
    const id = this.#nextId++;
    const packed = new Promise<Packed | undefined>((resolve) => this.#waiting.set(id, resolve));
    this.#thread().postMessage({ id, parts } satisfies ToPacking);
    return packed.then((result) => (result && result.bytes.length < size ? result : undefined));
  }

  #thread(): Worker {
    if (this.#worker) return this.#worker;
    const workerData: PackingData = { compression: this.#compression };
    const options = { ...SMALL_THREAD, workerData, name: 'packing' };
    const worker = new Worker(new URL('./packing-main.ts', import.meta.url), options);
    this.#worker = worker;
    worker.on('message', ({ id, bytes }: FromPacking) => {
      this.#waiting.get(id)?.({ compression: this.#compression, bytes });
      this.#waiting.delete(id);
    });
    worker.on('error', (error) => this.#fail(error instanceof Error ? error.message : String(error)));
    worker.on('exit', (code) => this.#fail(`it ended with code ${code}`));
    return worker;
  }

  #fail(reason: string): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    for (const resolve of this.#waiting.values()) resolve(undefined);
    this.#waiting.clear();
    this.#onFault(`the compression thread failed; chunks are written uncompressed from now on: ${reason}`);
  }
}
