import { randomBytes } from 'node:crypto';
import { readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { type Clock, EdgeError, LIMITS } from '../contract/core.ts';

type Handed = { readonly name: string; readonly bytes: number };

const NAME = /^[0-9a-f]{32}$/;
/** A body that was not taken by then has no receiver, milliseconds. */
const KEPT_MS = 60_000;

/**
 * Bodies of messages as files in memory, without fsync: written by one process of the host, read and removed by
 * another. At most `HANDED_BYTES_MAX` of one process lie there.
 */
export class HandedFiles {
  readonly #folder: () => string | undefined;
  readonly #clock: Pick<Clock, 'monotonicMs' | 'now'>;
  /** What this process left, and when; it may have been taken since. */
  readonly #left = new Map<string, { readonly bytes: number; readonly atMs: number; isWritten: boolean }>();
  #bytes = 0;
  /** When old files were last removed, by the monotonic clock; undefined: never. */
  #sweptMs: number | undefined;

  /** `folder` gives the place, private to this user; undefined: no such place exists. */
  constructor(folder: () => string | undefined, clock: Pick<Clock, 'monotonicMs' | 'now'>) {
    this.#folder = folder;
    this.#clock = clock;
  }

  async leave(body: unknown): Promise<Handed | undefined> {
    const written = serialize(body);
    const folder = this.#folder();
    if (folder === undefined) return undefined;
    const name = randomBytes(16).toString('hex');
    const bytes = written.byteLength;
    if (!(await this.#reserve(folder, name, bytes))) return undefined;
    const path = join(folder, name);
    try {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.writeFile(written);
      } finally {
        await file.close();
      }
      const left = this.#left.get(name);
      if (left) left.isWritten = true;
      return { name, bytes };
    } catch {
      // Memory is full: the body travels as bytes.
      this.drop({ name, bytes });
      return undefined;
    }
  }

  async take({ name, bytes }: Handed): Promise<unknown> {
    const folder = this.#folder();
    if (folder === undefined || !NAME.test(name)) throw gone('it has no valid name');
    const path = join(folder, name);
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        if (size !== bytes) throw gone(`it has ${size} bytes, expected ${bytes}`);
        // Memory of its own: typed arrays of the body are views into it.
        const read = new Uint8Array(size);
        const { bytesRead } = await file.read(read, 0, size, 0);
        if (bytesRead !== size) throw gone(`${bytesRead} of ${size} bytes could be read`);
        return deserialize(read) as unknown;
      } finally {
        await file.close();
      }
    } catch (error) {
      throw error instanceof EdgeError ? error : gone((error as Error).message, error);
    } finally {
      await rm(path, { force: true }).catch(() => {});
    }
  }

  drop({ name }: Handed): void {
    this.#forget(name);
    const folder = this.#folder();
    if (folder !== undefined && NAME.test(name)) void rm(join(folder, name), { force: true }).catch(() => {});
  }

  close(): void {
    if (this.#sweptMs === undefined) return;
    const folder = this.#folder();
    if (folder === undefined) return;
    try {
      for (const name of this.#left.keys()) rmSync(join(folder, name), { force: true });
      this.#removeOld(folder);
      rmdirSync(folder);
    } catch {
      // Another cell still uses it.
    }
    this.#left.clear();
  }

  async #reserve(folder: string, name: string, bytes: number): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#sweptMs === undefined || nowMs - this.#sweptMs > KEPT_MS) {
      this.#sweptMs = nowMs;
      this.#removeOld(folder);
    }
    for (const [old, { atMs }] of this.#left) if (nowMs - atMs > KEPT_MS) this.drop({ name: old, bytes: 0 });
    if (this.#bytes + bytes > LIMITS.HANDED_BYTES_MAX) await this.#forgetTaken(folder);
    if (this.#bytes + bytes > LIMITS.HANDED_BYTES_MAX) return false;
    this.#left.set(name, { bytes, atMs: nowMs, isWritten: false });
    this.#bytes += bytes;
    return true;
  }

  async #forgetTaken(folder: string): Promise<void> {
    for (const [name, { isWritten }] of [...this.#left]) {
      if (!isWritten) continue;
      const there = await stat(join(folder, name)).catch(() => undefined);
      if (!there) this.#forget(name);
    }
  }

  /** Processes that died left files; those that live take theirs within a minute. The folder has few files. */
  #removeOld(folder: string): void {
    const nowMs = Number(this.#clock.now() / 1_000_000n);
    try {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        const made = statSync(path, { throwIfNoEntry: false });
        if (made && nowMs - made.mtimeMs > KEPT_MS) rmSync(path, { force: true });
      }
    } catch {
      // The folder is gone, or what lies there is not of this kind.
    }
  }

  #forget(name: string): void {
    this.#bytes -= this.#left.get(name)?.bytes ?? 0;
    this.#left.delete(name);
  }
}

function gone(why: string, cause?: unknown): EdgeError {
  return new EdgeError('cell.unavailable', {
    ...{ operation: 'take message', subject: 'shared memory', retryable: true },
    message: `the body of a message cannot be read: ${why}`,
    cause,
  });
}
