import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EdgeError } from '../../../contract/core.ts';
import { runChild } from '../../../io/python/child.ts';
import { ensureEnv } from '../../../io/python/environment.ts';
import { readModel } from '../model-card.ts';

export type TrainOptions = {
  /** A folder with `train.py` and `requirements.txt`. */
  readonly trainer: string;
  readonly dataset: string;
  /** Where it works; what is in it afterwards is the caller's. */
  readonly workDir: string;
  /** Given to the trainer as `--key value`. */
  readonly settings: Readonly<Record<string, string>>;
  /** A Python that has everything already; without it an environment of the trainer's own is made. */
  readonly ownPython?: string;
  readonly python: string;
  readonly cacheDir: string;
  readonly limitMs: number;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  readonly onProgress: (report: Readonly<Record<string, unknown>>) => void;
  readonly note: (text: string) => void;
};

export type Trained = {
  readonly network: string;
  /** The last report of the trainer. */
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly seconds: number;
};

/**
 * Runs a trainer: `train.py --dataset DIR --out FILE [--KEY VALUE ...]`, which prints a JSON object on a line for each
 * report and writes the network to FILE and its card to FILE.json. Rejects with `schema.invalid` (no trainer),
 * `host.missing`, `tool.failed` with its last words, `run.cancelled`, `deadline.exceeded`, and `model.unavailable` where
 * what it wrote is no network with a card that fits.
 */
export async function train(options: TrainOptions): Promise<Trained> {
  const { trainer, dataset, workDir, clock, signal, note } = options;
  const script = join(trainer, 'train.py');
  const requirements = join(trainer, 'requirements.txt');
  for (const path of [script, ...(options.ownPython === undefined ? [requirements] : [])])
    if (!(await stat(path).catch(() => undefined))?.isFile()) throw noTrainer(trainer, path);
  const { ownPython, python: base, cacheDir } = options;
  const python =
    ownPython ?? (await ensureEnv({ requirements, cacheDir, python: base, clock, signal, note }));
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true });
  const network = join(workDir, 'model.onnx');
  const settings = Object.entries(options.settings).flatMap(([key, value]) => [`--${key}`, value]);
  let metrics: Readonly<Record<string, unknown>> = {};
  const began = clock.monotonicMs();
  await runChild(python, ['-u', script, '--dataset', dataset, '--out', network, ...settings], {
    clock,
    signal,
    limitMs: options.limitMs,
    env: { PYTHONDONTWRITEBYTECODE: '1' },
    onLine: (line) => {
      const report = reportOf(line);
      if (report) {
        metrics = report;
        options.onProgress(report);
      } else if (line.trim() !== '') note(line);
    },
    onNote: note,
  });
  await readModel(network);
  return { network, metrics, seconds: Math.round(clock.monotonicMs() - began) / 1_000 };
}

function reportOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function noTrainer(trainer: string, path: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'train',
    subject: trainer,
    message: `${path} is not there: a trainer is a folder with train.py and requirements.txt`,
    hint: 'light and act come with the daemon; docs/datasets.md says how to write one',
  });
}
