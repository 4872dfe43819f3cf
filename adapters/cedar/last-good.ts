import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseJson } from '../../contract/core.ts';
import type { PolicySource } from './policy-set.ts';

/** Where policies are read from: `policy.dir` and `policy.files` of the configuration. */
export type PolicyPlace = { readonly dir: string; readonly files: readonly string[] };

type Kept = PolicySource & { readonly from: readonly string[] };

/** The last usable policies of one folder, as one file in the data directory, so that a restart has them. */
export class LastGoodPolicies {
  readonly #path: string;
  readonly #from: readonly string[];
  readonly #report: (message: string) => void;
  #written = '';

  constructor(path: string, { dir, files }: PolicyPlace, report: (message: string) => void) {
    this.#path = path;
    this.#from = [dir === '' ? '' : resolve(dir), ...files.map((file) => resolve(file))];
    this.#report = report;
  }

  /** Undefined if no policies are kept, if they are from another folder, or if the file is incomplete. */
  read(): PolicySource | undefined {
    try {
      const { policies, entities, from } = parseJson(readFileSync(this.#path, 'utf8')) as Kept;
      if (JSON.stringify(from) !== JSON.stringify(this.#from)) return undefined;
      const files = [...policies, entities];
      const whole = files.every(({ file, text }) => typeof file === 'string' && typeof text === 'string');
      return whole && policies.length > 0 ? { policies, entities } : undefined;
    } catch {
      return undefined;
    }
  }

  /** Written atomically. A full disk does not keep policies from being in force. The built-in ones are not stored. */
  write({ policies, entities }: PolicySource): void {
    if (policies.length === 0) return;
    const kept: Kept = { from: this.#from, policies, entities };
    const text = JSON.stringify(kept);
    if (text === this.#written) return;
    const half = `${this.#path}.tmp`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const file = openSync(half, 'w', 0o600);
      try {
        // Writes all of it or throws; a single write may stop short on a full disk.
        writeFileSync(file, text);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(half, this.#path);
      this.#written = text;
    } catch (thrown) {
      this.#report((thrown as Error).message);
      rmSync(half, { force: true });
    }
  }
}
