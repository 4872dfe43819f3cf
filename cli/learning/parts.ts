import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PolicyShelf } from '../../adapters/onnx/training/index.ts';
import { EdgeError } from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';

export function shelfOf({ dataDir }: Settings): PolicyShelf {
  return new PolicyShelf(join(dataDir, 'policies'));
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
