import { statfs } from 'node:fs/promises';
import type { Clock } from '../../../contract/core.ts';

/** How often free space is looked at while all is well, milliseconds. */
const LOOK_MS = 1_000;

/** Keeps the free-space floor at any write rate, and looks at the disk only when it has to. */
export class DiskSpace {
  readonly #path: string;
  readonly #floorBytes: number;
  readonly #clock: Clock;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Bytes that may be written before the disk has to be looked at again. */
  #headroom = 0;

  constructor(path: string, floorBytes: number, clock: Clock) {
    this.#path = path;
    this.#floorBytes = floorBytes;
    this.#clock = clock;
  }

  /** It was looked at within the last second. */
  get isFresh(): boolean {
    return this.#clock.monotonicMs() - this.#lookedMs < LOOK_MS;
  }

  /** Throws ENOSPC when writing this much would go below the floor. */
  async require(bytes: number): Promise<void> {
    if (this.isFresh && this.#headroom > bytes) return;
    const shortage = await this.shortage(bytes);
    if (shortage) throw Object.assign(new Error(shortage), { code: 'ENOSPC' });
  }

  written(bytes: number): void {
    this.#headroom -= bytes;
  }

  /** What is missing for writing this much, for a person; undefined when there is enough. */
  async shortage(bytes: number): Promise<string | undefined> {
    this.#lookedMs = this.#clock.monotonicMs();
    const { bavail, bsize } = await statfs(this.#path);
    const free = bavail * bsize;
    this.#headroom = free - this.#floorBytes;
    // Without a floor it is for the write itself to find out.
    if (this.#floorBytes === 0 || this.#headroom >= bytes) return undefined;
    return `${mebibytes(free)} are free, which is below the minimum of ${mebibytes(this.#floorBytes)}`;
  }
}

function mebibytes(bytes: number): string {
  return `${Math.floor(bytes / 2 ** 20)} MiB`;
}
