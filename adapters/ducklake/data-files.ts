import { open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * The Parquet files of a DuckLake, which the engine writes but never syncs: after a power cut a committed
 * file could be empty. `syncNew` stands between the insert and its COMMIT.
 */
export class DataFiles {
  readonly #root: string;
  #known = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Syncs every file and directory that was not there at the last call. Rejects when the disk fails. */
  async syncNew(): Promise<number> {
    const found = await this.#list();
    const fresh = [...found].filter((path) => !this.#known.has(path));
    for (const path of fresh) await fsyncPath(path);
    for (const directory of new Set(fresh.map(dirname))) await fsyncPath(directory);
    if (fresh.length > 0) await fsyncPath(dirname(this.#root));
    this.#known = found;
    return fresh.length;
  }

  async #list(): Promise<Set<string>> {
    const entries = await readdir(this.#root, { recursive: true }).catch((thrown: { code?: string }) => {
      if (thrown.code === 'ENOENT') return [];
      throw thrown;
    });
    const paths = entries.map((entry) => join(this.#root, entry));
    if (paths.length > 0) paths.push(this.#root);
    return new Set(paths);
  }
}

/** Makes a file, or the entries of a directory, durable. */
export async function fsyncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
