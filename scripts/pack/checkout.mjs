// The packed files of a checkout: made once for its present sources, and kept with its packages.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../install.mjs';
import { pack, sourcesOf } from './pack.mjs';

const KEPT = join(root, 'node_modules', '.cache', 'auraison-packed');
/** From a folder in there to the root. */
const UP = '../../../../';
/** Daemons that run load parts of theirs late: files of other sources stay for a week. */
const OLD_MS = 7 * 24 * 3600 * 1000;

/**
 * The folder of packed files that are those of the present sources. Undefined where they cannot be made: the caller
 * runs the sources then, and `say` has the reason.
 */
export async function packedCheckout(say) {
  let folder;
  try {
    folder = join(KEPT, digest());
    if (!existsSync(folder)) {
      say('packing the sources into few files, once for their present state ...');
      await make(folder);
    }
    return folder;
  } catch (error) {
    // Another start made it in the meantime, or an old one cannot be removed.
    if (folder !== undefined && existsSync(folder)) return folder;
    say(`runs unpacked, which starts slower: ${error.message}`);
    return undefined;
  }
}

/** The folder is there as a whole or not at all. */
async function make(folder) {
  const work = join(KEPT, `.${process.pid}-${Date.now()}`);
  mkdirSync(work, { recursive: true });
  try {
    await pack({ out: work, up: UP });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  removeOld(folder);
}

/** By place, size and time of each source: to read them all would take as long as to pack them. */
function digest() {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  const packer = ['checkout', 'own-places', 'pack', 'packages'].map((name) => `scripts/pack/${name}.mjs`);
  for (const name of [...packer, ...sourcesOf()]) {
    const { size, mtimeMs } = statSync(join(root, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

function removeOld(present) {
  for (const name of readdirSync(KEPT)) {
    const folder = join(KEPT, name);
    if (folder !== present && Date.now() - statSync(folder).mtimeMs > OLD_MS)
      rmSync(folder, { recursive: true, force: true });
  }
}
