import { createHash } from 'node:crypto';
import { HASH_BYTES, leafHash, merkleRoot } from '../formats/merkle/index.ts';

/** The tree of a file, made piece by piece, so that other work gets its turn in between. Pure. */
export class FileTree {
  readonly partBytes: number;
  readonly bytes: number;
  readonly leaves: Buffer;
  #parts = 0;
  #whole = createHash('sha256');
  #sha256: string | undefined;
  #root: string | undefined;

  constructor(bytes: number, partBytes: number) {
    this.bytes = bytes;
    this.partBytes = partBytes;
    this.leaves = Buffer.alloc(Math.ceil(bytes / partBytes) * HASH_BYTES);
  }

  get isComplete(): boolean {
    return this.#root !== undefined;
  }

  /** The next part to be added. */
  next(): { readonly offset: number; readonly length: number } {
    const offset = this.#parts * this.partBytes;
    return { offset, length: Math.min(this.partBytes, this.bytes - offset) };
  }

  add(part: Uint8Array): void {
    leafHash(part).copy(this.leaves, this.#parts * HASH_BYTES);
    this.#whole.update(part);
    this.#parts += 1;
    if (this.#parts * HASH_BYTES < this.leaves.length) return;
    this.#sha256 = this.#whole.digest('hex');
    this.#root = merkleRoot(this.leaves).toString('hex');
  }

  /** Of the whole file, when it is complete. */
  get sha256(): string {
    return this.#sha256 ?? '';
  }

  get root(): string {
    return this.#root ?? '';
  }
}
