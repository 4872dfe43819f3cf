import { createHash } from 'node:crypto';
import { type BlobStore, EdgeError } from '../../contract/index.ts';

/** Blobs in memory. `held` survives the store, as a disk does a process. */
export class MemoryBlobStore implements BlobStore {
  readonly held: Map<string, Uint8Array>;

  constructor(held = new Map<string, Uint8Array>()) {
    this.held = held;
  }

  async put(bytes: Uint8Array): Promise<string> {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.held.set(sha256, Uint8Array.from(bytes));
    return sha256;
  }

  async get(sha256: string): Promise<Uint8Array | undefined> {
    const bytes = this.held.get(sha256);
    if (!bytes) return undefined;
    if (createHash('sha256').update(bytes).digest('hex') === sha256) return Uint8Array.from(bytes);
    throw new EdgeError('log.damaged', { operation: 'get blob', subject: sha256 });
  }

  async renew(sha256: string): Promise<boolean> {
    return this.held.has(sha256);
  }
}
