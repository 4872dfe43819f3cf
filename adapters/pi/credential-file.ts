import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Credential, CredentialInfo, CredentialStore } from '@earendil-works/pi-ai';
import { type Clock, EdgeError, pause } from '../../contract/core.ts';

const LOCK_LOOK_MS = 50;
/** A refresh at the provider takes at most a quarter of this; an older lock is of a process that died. */
const LOCK_STALE_MS = 60_000;

type Data = Readonly<Record<string, Credential>>;

/**
 * Logins at providers as Pi keeps them, in one JSON file of mode 0600. The command line logs in and the daemon renews
 * tokens, so a change takes a lock beside the file. Values are taken as they are: nothing in it is run as a command.
 */
export class CredentialFile implements CredentialStore {
  readonly #path: string;
  readonly #clock: Clock;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, clock: Clock) {
    this.#path = path;
    this.#clock = clock;
  }

  async read(provider: string): Promise<Credential | undefined> {
    const data = await this.#data();
    return Object.hasOwn(data, provider) ? data[provider] : undefined;
  }

  async list(): Promise<readonly CredentialInfo[]> {
    return Object.entries(await this.#data()).map(([providerId, { type }]) => ({ providerId, type }));
  }

  modify(
    provider: string,
    change: (current: Credential | undefined) => Promise<Credential | undefined>,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Credential | undefined> {
    return this.#locked(options.signal, async () => {
      const data = await this.#data();
      const current = Object.hasOwn(data, provider) ? data[provider] : undefined;
      const next = await change(current);
      if (next === undefined) return current;
      this.#write({ ...data, [provider]: next });
      return next;
    });
  }

  async delete(provider: string, options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#locked(options.signal, async () => {
      const { [provider]: _, ...rest } = await this.#data();
      this.#write(rest);
    });
  }

  async #data(): Promise<Data> {
    let text: string;
    try {
      const mode = statSync(this.#path).mode & 0o777;
      if ((mode & 0o077) !== 0)
        throw this.#fault(`has mode ${mode.toString(8)}: others may read it`, `chmod 600 ${this.#path}`);
      text = await readFile(this.#path, 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return {};
      throw thrown;
    }
    try {
      const data: unknown = JSON.parse(text);
      if (typeof data === 'object' && data !== null && !Array.isArray(data)) return data as Data;
    } catch {
      // No JSON.
    }
    throw this.#fault('is no JSON object', 'remove it and log in again: auraison models login PROVIDER');
  }

  /** Whole under its name or not there. */
  #write(data: Data): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.tmp`;
    rmSync(temporary, { force: true });
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeSync(fd, JSON.stringify(data));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, this.#path);
  }

  /** One change at a time, also with other processes. */
  #locked<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      const lock = `${this.#path}.lock`;
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      await this.#take(lock, signal);
      try {
        return await work();
      } finally {
        rmSync(lock, { recursive: true, force: true });
      }
    });
    this.#last = done.catch(() => {});
    return done;
  }

  async #take(lock: string, signal: AbortSignal | undefined): Promise<void> {
    const since = this.#clock.monotonicMs();
    for (;;) {
      signal?.throwIfAborted();
      try {
        mkdirSync(lock);
        return;
      } catch (thrown) {
        if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
      }
      // A process that held it for all of this time has died.
      if (this.#clock.monotonicMs() - since > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true });
      await pause(this.#clock, LOCK_LOOK_MS, signal);
    }
  }

  #fault(message: string, hint: string): EdgeError {
    return new EdgeError('config.invalid', {
      operation: 'read credentials',
      subject: this.#path,
      message: `${this.#path} ${message}`,
      hint,
    });
  }
}
