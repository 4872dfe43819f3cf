import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { EdgeError } from '../../../contract/core.ts';
import { readModel } from '../model-card.ts';

export type PolicyRecord = {
  readonly name: string;
  /** SHA-256 of the network. */
  readonly sha256: string;
  /** ISO time. */
  readonly registered: string;
  readonly trainer: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly dataset?: {
    readonly path: string;
    /** Over names and contents of its files. */
    readonly sha256: string;
    readonly episodes: number;
    readonly frames: number;
  };
  /** The last report of the trainer. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly seconds: number;
};

export type ShelvedPolicy = PolicyRecord & {
  /** The network; its card lies beside it. */
  readonly path: string;
};

const NETWORK = 'model.onnx';
const RECORD = 'policy.json';
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/**
 * Policies that were trained or taken in: `<root>/<name>/<sha256>/` with network, card and record. One is there as a
 * whole or not at all, and never changes: its hash is its place.
 */
export class PolicyShelf {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /**
   * Takes a network with its card in; the files given stay. The same again gives the one that is there. Throws
   * `model.unavailable` for a network or card that does not fit, `schema.invalid` for a bad name.
   */
  async register(
    network: string,
    record: Omit<PolicyRecord, 'sha256'>,
  ): Promise<ShelvedPolicy & { readonly already: boolean }> {
    checkPolicyName(record.name);
    const { card } = await readModel(network);
    const target = join(this.#root, record.name, card.sha256);
    const known = await this.#read(target);
    if (known) return { ...known, already: true };
    const partial = join(this.#root, record.name, `.${card.sha256}.${process.pid}`);
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    try {
      await copyFile(network, join(partial, NETWORK));
      await copyFile(`${network}.json`, join(partial, `${NETWORK}.json`));
      const whole: PolicyRecord = { ...record, sha256: card.sha256 };
      await writeFile(join(partial, RECORD), `${JSON.stringify(whole, null, 2)}\n`);
      // What was copied is what was checked: the hash is asked of the copy.
      await readModel(join(partial, NETWORK));
      for (const file of [NETWORK, `${NETWORK}.json`, RECORD, '']) await sync(join(partial, file));
      await rename(partial, target);
      await sync(dirname(target));
      await sync(this.#root);
      return { ...whole, path: join(target, NETWORK), already: false };
    } catch (error) {
      await rm(partial, { recursive: true, force: true });
      throw error;
    }
  }

  /** Newest last. What is no policy is left out. */
  async list(): Promise<ShelvedPolicy[]> {
    const found: ShelvedPolicy[] = [];
    for (const name of await readdir(this.#root).catch(() => [] as string[]))
      for (const hash of await readdir(join(this.#root, name)).catch(() => [] as string[])) {
        const policy = hash.startsWith('.') ? undefined : await this.#read(join(this.#root, name, hash));
        if (policy) found.push(policy);
      }
    return found.sort((a, b) => (a.registered < b.registered ? -1 : 1));
  }

  /** The newest of a name, or `name@hash` by the start of its hash. Throws `model.not_found`. */
  async find(wanted: string): Promise<ShelvedPolicy> {
    const [name, hash = ''] = wanted.split('@');
    const all = await this.list();
    const found = all.filter((one) => one.name === name && one.sha256.startsWith(hash)).at(-1);
    if (found) return found;
    const names = [...new Set(all.map((one) => one.name))];
    throw new EdgeError('model.not_found', {
      operation: 'find policy',
      subject: wanted,
      message: `unknown policy ${wanted}; registered: ${names.length === 0 ? 'no policy' : names.join(', ')}`,
      hint: 'auraison policy list',
    });
  }

  async #read(folder: string): Promise<ShelvedPolicy | undefined> {
    const text = await readFile(join(folder, RECORD), 'utf8').catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return { ...(JSON.parse(text) as PolicyRecord), path: join(folder, NETWORK) };
    } catch {
      return undefined;
    }
  }
}

/** Throws `schema.invalid`. */
export function checkPolicyName(name: string): void {
  if (!NAME.test(name)) throw bad(name, 'a name of letters, digits, dot, dash, underscore expected');
}

/** SHA-256 over names and contents of a dataset's files, in order: the same wherever it lies. */
export async function datasetHash(root: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((name) => !name.split('/').some((part) => part.startsWith('.')))
    .sort();
  for (const name of names) {
    hash.update(`${name}\0`);
    const file = createHash('sha256');
    for await (const piece of createReadStream(join(root, name), { highWaterMark: 1 << 20 }))
      file.update(piece as Buffer);
    hash.update(file.digest());
  }
  return hash.digest('hex');
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function bad(subject: string, message: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'register policy',
    subject,
    message: `${subject}: ${message}`,
  });
}
