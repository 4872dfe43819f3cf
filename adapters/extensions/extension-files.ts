import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError, LIMITS } from '../../contract/core.ts';

export type ExtensionFile = {
  /** `extensions/<name>.ts`: as people and the log see it. */
  readonly name: string;
  readonly path: string;
};

export type ExtensionFolder = {
  readonly files: readonly ExtensionFile[];
  /** Of every file of the folder: an extension is new when something beside it is. */
  readonly sha256: string;
};

const FOLDER = 'extensions';
const DEPTH_MAX = 4;

/**
 * The extensions of an application: `extensions/*.ts` of its folder, in the order of their names. What lies in folders
 * below is theirs to import. Links are not followed. Throws `extension.failed` where there is more than a folder may
 * hold.
 */
export function readExtensionFolder(folder: string): ExtensionFolder {
  const root = join(folder, FOLDER);
  const hash = createHash('sha256');
  const files: ExtensionFile[] = [];
  let seen = 0;
  const walk = (below: string, depth: number): void => {
    for (const entry of entriesOf(join(root, below))) {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      if (entry.isDirectory() && depth < DEPTH_MAX) walk(name, depth + 1);
      if (!entry.isFile()) continue;
      const path = join(root, name);
      const size = lstatSync(path).size;
      if (++seen > LIMITS.EXTENSION_FILES_MAX || size > LIMITS.EXTENSION_FILE_BYTES_MAX)
        throw tooMuch(`${FOLDER}/${name}`);
      hash.update(`${name}\0${size}\0`).update(readFileSync(path));
      if (depth === 0 && /\.ts$/.test(name) && !/\.(d|test)\.ts$/.test(name))
        files.push({ name: `${FOLDER}/${name}`, path });
    }
  };
  walk('', 0);
  return { files, sha256: hash.digest('hex') };
}

function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw thrown;
  }
}

function tooMuch(name: string): EdgeError {
  const { EXTENSION_FILES_MAX: files, EXTENSION_FILE_BYTES_MAX: bytes } = LIMITS;
  return new EdgeError('extension.failed', {
    operation: 'read extensions',
    subject: name,
    message: `a folder of extensions holds at most ${files} files of ${bytes} bytes`,
  });
}
