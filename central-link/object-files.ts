import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HandleReadable } from '../io/file-readable.ts';
import type { LinkFiles } from './object-sender.ts';

/** The files of a data directory. */
export class DataFiles implements LinkFiles {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  async size(path: string): Promise<number | undefined> {
    try {
      return (await stat(join(this.#dataDir, path))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // Without their folder, files are on a disk that is not mounted now.
      await stat(join(this.#dataDir, path.split('/')[0]!));
      return undefined;
    }
  }

  async read(path: string, offset: number, length: number): Promise<Uint8Array> {
    const handle = await open(join(this.#dataDir, path), 'r');
    try {
      return await new HandleReadable(handle, path).read(offset, length);
    } finally {
      await handle.close();
    }
  }
}
