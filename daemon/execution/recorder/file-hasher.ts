import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** Read and hashed in one go: a millisecond of the thread. */
const STEP_BYTES = 1024 * 1024;
const STEPS_PER_PROGRESS = 64;

/**
 * SHA-256 of a growing file, read behind the writer (from the page cache) when the thread has nothing else
 * to do, so that hashing never stands between a sample and the disk. Bytes once written must not change.
 */
export class FileHasher {
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #buffer = Buffer.allocUnsafeSlow(STEP_BYTES);
  #position = 0;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  static async open(path: string): Promise<FileHasher> {
    return new FileHasher(await open(path, 'r'));
  }

  get position(): number {
    return this.#position;
  }

  /** Hashes a step of what lies before `end`. One call at a time. */
  async step(end: number): Promise<void> {
    const wanted = Math.min(STEP_BYTES, end - this.#position);
    if (wanted <= 0) return;
    const { bytesRead } = await this.#handle.read(this.#buffer, 0, wanted, this.#position);
    if (bytesRead === 0) throw new Error(`the file ends at ${this.#position}, before ${end}`);
    this.#hash.update(this.#buffer.subarray(0, bytesRead));
    this.#position += bytesRead;
  }

  /** The hash of the first `size` bytes; closes. */
  async digest(size: number, onProgress: () => void = () => {}): Promise<string> {
    try {
      for (let steps = 1; this.#position < size; steps++) {
        await this.step(size);
        if (steps % STEPS_PER_PROGRESS === 0) onProgress();
      }
    } finally {
      await this.close();
    }
    return this.#hash.digest('hex');
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
