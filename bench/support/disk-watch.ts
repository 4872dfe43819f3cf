import { type FileHandle, open } from 'node:fs/promises';

/** How often the disk is asked, milliseconds: seldom enough to be no load of its own. */
const EVERY_MS = 250;

/**
 * What one page costs on this disk while something else is measured: written, and on disk. On a shared machine the
 * disk is another one each minute, so a figure from before or after says little.
 */
export class DiskWatch {
  readonly tookMs: number[] = [];
  #file: FileHandle | undefined;
  #over = false;
  #done: Promise<void> = Promise.resolve();

  async start(path: string): Promise<void> {
    this.#file = await open(path, 'w');
    this.#done = this.#watch(this.#file);
  }

  /** Forgets what was measured so far. */
  reset(): void {
    this.tookMs.length = 0;
  }

  async stop(): Promise<void> {
    this.#over = true;
    await this.#done;
    await this.#file?.close();
  }

  async #watch(file: FileHandle): Promise<void> {
    const page = Buffer.alloc(4_096);
    while (!this.#over) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      const began = performance.now();
      await file.write(page, 0, page.length, 0);
      await file.datasync();
      this.tookMs.push(performance.now() - began);
    }
  }
}
