import { createHash } from 'node:crypto';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Config } from './config.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Where the daemon keeps its data: configured, else what systemd gave, else the XDG data directory. */
export function dataDirOf(config: Config, env: Env): string {
  if (config.daemon.data_dir !== '') return resolve(config.daemon.data_dir);
  const state = env['STATE_DIRECTORY']?.split(':')[0];
  if (state) return state;
  return join(env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'auraison-edge');
}

/** Where things live that are installed or built once for all data directories. */
export function cacheDirOf(env: Env): string {
  return env['AURAISON_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'auraison-edge');
}

/** Where the model of recall may lie: beside the data, and in the cache. */
export function recallModelDirs(dataDir: string, env: Env): readonly [string, string] {
  return [dataDir, cacheDirOf(env)];
}

/** Where keys of models are kept that were given to `auraison models add`. */
export function credentialsDir(dataDir: string): string {
  return join(dataDir, 'credentials');
}

/** Logins at providers, as `auraison models login` makes them. */
export function loginsFile(dataDir: string): string {
  return join(credentialsDir(dataDir), 'logins.json');
}

/** The first configuration file that is named or usual; undefined means defaults only. */
export function configFileOf(
  flag: string | undefined,
  env: Env,
  exists: (path: string) => boolean,
): string | undefined {
  if (flag !== undefined) return flag;
  if (env['AURAISON_CONFIG']) return env['AURAISON_CONFIG'];
  return [ownConfigFile(env), '/etc/auraison-edge/auraison-edge.toml'].find(exists);
}

/** The file of a person, where commands and the console write one that is not there yet. */
export function ownConfigFile(env: Env): string {
  return join(env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'auraison-edge.toml');
}

/** A socket path that fits into the 107 bytes the kernel allows, whatever the data directory is called. */
export function socketPath(dataDir: string, name: string): string {
  const plain = join(dataDir, 'run', name);
  if (Buffer.byteLength(plain) <= 100) return plain;
  return join(
    tmpdir(),
    `auraison-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}-${name}`,
  );
}
