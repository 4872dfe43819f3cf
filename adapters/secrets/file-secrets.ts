import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError, type Secrets } from '../../contract/core.ts';

/** Secrets as files of one directory, mode 0600; a name is a file name. */
export class FileSecrets implements Secrets {
  readonly #directory: string;
  readonly #suffix: string;

  /** `suffix` makes temporary names unique, for example the process id. */
  constructor(directory: string, suffix: string) {
    this.#directory = directory;
    this.#suffix = suffix;
  }

  async read(name: string): Promise<string | undefined> {
    const path = this.#path(name);
    try {
      const mode = (await stat(path)).mode & 0o777;
      if ((mode & 0o077) !== 0) throw unusable(path, `mode ${mode.toString(8)}: other users can read it`);
      const value = (await readFile(path, 'utf8')).trim();
      if (value === '') throw unusable(path, 'is empty');
      return value;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if (error instanceof EdgeError) throw error;
      throw unusable(path, (error as Error).message, error);
    }
  }

  async readOrCreate(name: string, make: () => string): Promise<string> {
    const found = await this.read(name);
    if (found !== undefined) return found;
    this.#create(this.#path(name), make());
    // Two processes may have come here at once: the file that is there is the secret, whichever process made it.
    const kept = await this.read(name);
    if (kept === undefined) throw unusable(this.#path(name), 'disappeared while it was created');
    return kept;
  }

  /** Where a secret is kept, whether it is there or not. */
  pathOf(name: string): string {
    return this.#path(name);
  }

  /** The value from now on, whatever was there. Durable when it returns. */
  replace(name: string, value: string): void {
    this.#create(this.#path(name), value, true);
  }

  remove(name: string): void {
    rmSync(this.#path(name), { force: true });
  }

  /** Whole and durable under its final name, or not there: temporary file, fsync, link or rename, fsync. */
  #create(path: string, value: string, replace = false): void {
    const temporary = `${path}.${this.#suffix}.tmp`;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      const fd = openSync(temporary, 'w', 0o600);
      try {
        writeSync(fd, `${value}\n`);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      if (replace) renameSync(temporary, path);
      else link(temporary, path);
      const directory = openSync(this.#directory, 'r');
      try {
        fsyncSync(directory);
      } finally {
        closeSync(directory);
      }
    } catch (error) {
      throw unusable(path, `cannot be made: ${(error as Error).message}`, error);
    }
  }

  #path(name: string): string {
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name))
      throw unusable(name, 'is not a valid name of a secret');
    return join(this.#directory, name);
  }
}

/** Leaves a file of that name as it is. */
function link(temporary: string, path: string): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  unlinkSync(temporary);
}

function unusable(path: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'secret',
    subject: path,
    message: `${path}: ${message}`,
    hint: 'the file must be readable by this user only (chmod 600)',
    cause,
  });
}
