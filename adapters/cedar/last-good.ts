import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { PolicySource } from './policy-set.ts';

/** The last policies that could be used, as one file in the data directory, so that a restart has them. */
export class LastGoodPolicies {
  readonly #path: string;
  readonly #report: (message: string) => void;
  #written = '';

  constructor(path: string, report: (message: string) => void) {
    this.#path = path;
    this.#report = report;
  }

  /** Undefined where there are none, or what is there is not whole. */
  read(): PolicySource | undefined {
    try {
      const { policies, entities } = JSON.parse(readFileSync(this.#path, 'utf8')) as PolicySource;
      const files = [...policies, entities];
      const whole = files.every(({ file, text }) => typeof file === 'string' && typeof text === 'string');
      return whole ? { policies, entities } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Whole or not at all. A full disk keeps no policies from being in force. */
  write(source: PolicySource): void {
    const text = JSON.stringify(source);
    if (text === this.#written) return;
    const half = `${this.#path}.tmp`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const file = openSync(half, 'w', 0o600);
      try {
        writeSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(half, this.#path);
      this.#written = text;
    } catch (thrown) {
      this.#report((thrown as Error).message);
    }
  }
}
