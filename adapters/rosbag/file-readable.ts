import { type FileHandle, open } from 'node:fs/promises';
import { EdgeError } from '../../contract/core.ts';
import type { Readable } from '../../formats/mcap/index.ts';

/** A file for the MCAP code. Reads are exact; the end of the file before them is `mcap.malformed`. */
export class FileReadable implements Readable {
  readonly subject: string;
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.subject = path;
  }

  static async open(path: string): Promise<FileReadable> {
    return new FileReadable(await open(path, 'r'), path);
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const { bytesRead } = await this.#handle.read(bytes, done, length - done, offset + done);
      if (bytesRead === 0) {
        throw new EdgeError('mcap.malformed', {
          operation: 'read-mcap',
          subject: this.subject,
          message: `at byte ${offset + done}: the file ends`,
        });
      }
      done += bytesRead;
    }
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}
