import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { EdgeError } from '../../../contract/core.ts';

const COMMIT = /^[0-9a-f]{40}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
/** Files of one model; a folder with more is not one. */
const FILES_MAX = 10_000;

/**
 * Checks that the model is the one that was pinned, before it is started. A folder is pinned by the digest of all its
 * files, a model of a hub by its commit: branches move. Returns the revision. Throws `config.invalid` for an invalid
 * pin, `model.unavailable` for a model that differs or is missing.
 */
export async function checkRevision(model: string, pinned: string): Promise<string> {
  const folder = await folderOf(model);
  if (!folder) {
    if (pinned === '' || COMMIT.test(pinned)) return pinned;
    throw refusal(
      'config.invalid',
      model,
      `engine.revision = "${pinned}" is no commit: a branch or tag can become another model over night`,
      'the 40 hexadecimal digits of the commit on the hub',
    );
  }
  const found = await folderDigest(folder);
  if (pinned === '' || pinned === found) return found;
  if (!DIGEST.test(pinned)) {
    throw refusal(
      'config.invalid',
      model,
      `engine.revision = "${pinned}" does not pin a folder`,
      `the digest of its files: "${found}"`,
    );
  }
  throw refusal(
    'model.unavailable',
    model,
    `the model is another one than was pinned: engine.revision is ${pinned}, its files are ${found}`,
    'get the pinned model back, or pin this one after you have looked at it',
  );
}

/** Digest of a folder: names, sizes and hashes of its files in the order of their names. */
export async function folderDigest(folder: string): Promise<string> {
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length > FILES_MAX)
    throw refusal('model.unavailable', folder, `${files.length} files, at most ${FILES_MAX}`, '');
  const all = createHash('sha256');
  for (const file of files) {
    const hash = createHash('sha256');
    for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
    const name = relative(folder, file).split(sep).join('/');
    all.update(`${name}\0${(await stat(file)).size}\0${hash.digest('hex')}\n`);
  }
  return `sha256:${all.digest('hex')}`;
}

/** Undefined: it is the name of a model on a hub. */
async function folderOf(model: string): Promise<string | undefined> {
  if (!model.startsWith('/') && !model.startsWith('.')) return undefined;
  try {
    const path = await realpath(model);
    if ((await stat(path)).isDirectory()) return path;
  } catch {
    // said below
  }
  throw refusal('model.unavailable', model, `engine.model = "${model}" is no folder on this host`, '');
}

function refusal(
  code: 'config.invalid' | 'model.unavailable',
  subject: string,
  message: string,
  hint: string,
): EdgeError {
  return new EdgeError(code, { operation: 'check model', subject, message, hint, retryable: false });
}
