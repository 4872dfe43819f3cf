import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PolicyShelf } from '../../adapters/lerobot/training/index.ts';
import { EdgeError } from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';

/** Trainers that come with the daemon. */
const TRAINERS: Readonly<Record<string, string>> = {
  light: '../../apps/ar4-physical-ai/trainer',
  act: '../../adapters/lerobot/trainers/act',
};

export function shelfOf({ dataDir }: Settings): PolicyShelf {
  return new PolicyShelf(join(dataDir, 'policies'));
}

/** The folder of a trainer: one of ours by name, else a path. */
export function trainerFolder(name: string): string {
  const own = Object.hasOwn(TRAINERS, name) ? TRAINERS[name] : undefined;
  return own === undefined ? resolve(name) : fileURLToPath(new URL(own, import.meta.url));
}

/** Environments of trainers: with the caches of this user, in no repository. */
export function environmentsDir(): string {
  const root =
    process.env['AURAISON_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'auraison-edge');
  return join(root, 'trainers');
}

/** `key=value` pairs. */
export function settingsIn(pairs: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (pairs ?? []).map((pair) => {
      const match = /^([a-z][a-z0-9-]{0,63})=(.*)$/s.exec(pair);
      if (match) return [match[1]!, match[2]!];
      throw new EdgeError('schema.invalid', {
        operation: 'policy train',
        subject: '--set',
        message: `--set ${pair}: key=value expected`,
      });
    }),
  );
}

/** The network behind a registered name, or a path. */
export async function networkOf(settings: Settings, wanted: string): Promise<string> {
  const path = resolve(wanted);
  if (wanted.endsWith('.onnx') && existsSync(path)) return path;
  return (await shelfOf(settings).find(wanted)).path;
}
