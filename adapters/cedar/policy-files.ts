import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import type { PolicySource } from './policy-set.ts';

/** All policy files together, bytes. */
const BYTES_MAX = 4 * 1024 * 1024;
const ENTITY_BYTES_MAX = 32 * 1024 * 1024;
const ENTITIES = 'entities.json';

/**
 * Reads `*.cedar` of a folder in the order of their names, single files, and `entities.json` of the folder. Throws
 * `policy.invalid`: a folder that is configured and empty is a mistake, not the absence of rules.
 */
export function readPolicySource(folder: string, files: readonly string[]): PolicySource {
  const paths = [...files];
  let entities = { file: ENTITIES, text: '' };
  if (folder !== '') {
    const names = attempt(folder, () => namesIn(folder));
    paths.push(...names.filter((name) => name.endsWith('.cedar')).map((name) => join(folder, name)));
    if (names.includes(ENTITIES))
      entities = { file: ENTITIES, text: readText(join(folder, ENTITIES), ENTITY_BYTES_MAX) };
    if (paths.length === 0) throw unreadable(folder, `${folder} contains no .cedar file`);
  }
  let bytes = 0;
  const policies = paths.map((path) => {
    const text = readText(path, BYTES_MAX);
    bytes += Buffer.byteLength(text);
    if (bytes > BYTES_MAX) throw unreadable(path, `more than ${BYTES_MAX} bytes of policies`);
    return { file: basename(path), text };
  });
  const names = policies.map(({ file }) => file);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw unreadable(twice, `two policy files have the name ${twice}`);
  return { policies, entities };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw unreadable(folder, `there is no folder ${folder}`, cause);
  }
}

function readText(path: string, bytesMax: number): string {
  return attempt(path, () => {
    const { size } = statSync(path);
    if (size > bytesMax) throw new Error(`${path}: ${size} bytes, at most ${bytesMax} are read`);
    const bytes = readFileSync(path);
    // A file that is not UTF-8 could be read differently than its author meant.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  });
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    throw cause instanceof EdgeError ? cause : unreadable(path, (cause as Error).message, cause);
  }
}

function unreadable(path: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('policy.invalid', { operation: 'read policies', subject: path, message, cause });
}
