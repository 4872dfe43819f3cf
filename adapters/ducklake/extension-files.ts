import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, version } from '@duckdb/node-api';

/** What the lakehouse loads, as DuckDB names their files: the first always, the others where it lives on servers. */
export type ExtensionName = 'ducklake' | 'httpfs' | 'postgres_scanner';
export const REMOTE_EXTENSIONS: readonly ExtensionName[] = ['ducklake', 'httpfs', 'postgres_scanner'];

/** `v1.5.5`: extensions fit exactly one version of the engine. */
export function engineVersion(): string {
  return version();
}

/** `linux_amd64`, `linux_arm64`, … in the words of DuckDB. */
export async function enginePlatform(): Promise<string> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    const reader = await connection.runAndReadAll('PRAGMA platform');
    connection.closeSync();
    return String(reader.getRows()[0]?.[0]);
  } finally {
    instance.closeSync();
  }
}

/** Where the extension lies below `directory`, in the layout of DuckDB itself, whether it is there or not. */
export function extensionFile(directory: string, platform: string, name: ExtensionName = 'ducklake'): string {
  return join(directory, engineVersion(), platform, `${name}.duckdb_extension`);
}

type Env = Readonly<Record<string, string | undefined>>;

/** Our own cache, shared by all data directories of this user; a system service has its own by configuration. */
export function cacheDirectory(env: Env = process.env): string {
  return join(env['AURAISON_CACHE'] || userCache(env), 'duckdb-extensions');
}

function userCache(env: Env): string {
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'auraison-edge');
}

/** Where an extension may already lie: beside the data, in our caches, where DuckDB's own INSTALL puts it. */
export function searchDirectories(dataDir: string, env: Env = process.env): string[] {
  const caches = [cacheDirectory(env), join(userCache(env), 'duckdb-extensions')];
  return [besideData(dataDir), ...new Set(caches), join(homedir(), '.duckdb', 'extensions')];
}

/**
 * Where to install it: a data directory that was named may be that of a daemon which runs as somebody else, with
 * other caches; what lies beside the data it finds.
 */
export function installDirectory(
  { dataDir, named }: { readonly dataDir: string; readonly named: boolean },
  env: Env = process.env,
): string {
  return named ? besideData(dataDir) : cacheDirectory(env);
}

function besideData(dataDir: string): string {
  return join(dataDir, 'extensions');
}

export function findExtension(
  directories: readonly string[],
  platform: string,
  name: ExtensionName = 'ducklake',
): string | undefined {
  return directories
    .map((directory) => extensionFile(directory, platform, name))
    .find((path) => existsSync(path));
}
