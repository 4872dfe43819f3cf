import { Sandboxes } from '../../adapters/sandbox/index.ts';
import type {
  Clock,
  SandboxCommand,
  SandboxedCommand,
  SandboxProfile,
  SandboxSecret,
} from '../../contract/core.ts';
import { doorOf, type SandboxRow, secretOf } from '../config/sandboxes.ts';
import { readSecret } from '../secrets.ts';
import type { Settings } from '../settings.ts';

/** The profiles of `[[sandboxes]]`. Starts nothing. */
export function makeSandboxes(
  { config, dataDir }: Pick<Settings, 'config' | 'dataDir'>,
  clock: Clock,
): Sandboxes {
  return new Sandboxes(
    { clock, dataDir, searchPath: searchPathOf(process.env) },
    config.sandboxes.map((row) => ({ provider: row.provider, profile: profileOf(row, process.env) })),
  );
}

/** Programs of providers: where the daemon finds others, and the folders of administrators. */
export function searchPathOf(env: Env): string {
  return `${env['PATH'] ?? ''}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
}

type Env = Readonly<Record<string, string | undefined>>;

/** A row of the configuration; secrets are read when a program starts, and may be replaced. */
export function profileOf(row: SandboxRow, env: Env): SandboxProfile {
  const secrets = (key: 'secret_files' | 'secret_env', as: SandboxSecret['as']): SandboxSecret[] =>
    row[key].map((entry) => {
      const { name, place } = secretOf(entry);
      return { name, as, read: () => readSecret(place, `sandboxes.${row.name}.${key}`, env) ?? '' };
    });
  return {
    name: row.name,
    readOnly: row.read_only,
    readWrite: row.read_write,
    network: row.network.map(doorOf),
    processor: row.processor,
    memory: row.memory,
    processes: row.processes,
    time: row.time,
    temporary: row.temporary,
    fileSize: row.file_size,
    secrets: [...secrets('secret_files', 'file'), ...secrets('secret_env', 'variable')],
    image: row.image,
    namespace: row.namespace,
  };
}

/** What starts in place of a command in this sandbox; undefined where it runs without one. */
export function sandboxed(
  sandboxes: Sandboxes,
  name: string,
  command: SandboxCommand,
): (() => Promise<SandboxedCommand>) | undefined {
  return name === '' || name === 'none' ? undefined : () => sandboxes.prepare(name, command);
}
