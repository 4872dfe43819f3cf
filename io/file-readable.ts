import { type FileHandle, open } from 'node:fs/promises';
import { EdgeError } from '../contract/core.ts';
import type { Readable } from '../formats/mcap/index.ts';

/** An open file for the MCAP code. Reads are exact; the end of the file before them is `mcap.malformed`. */
export class HandleReadable implements Readable {
  readonly subject: string;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, subject: string) {
    this.#handle = handle;
    this.subject = subject;
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
}

/** A file by its path. The caller that opens it also closes it. */
export class FileReadable extends HandleReadable {
  readonly #file: FileHandle;

  private constructor(file: FileHandle, path: string) {
    super(file, path);
    this.#file = file;
  }

  static async open(path: string): Promise<FileReadable> {
    return new FileReadable(await open(path, 'r'), path);
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
