import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, version } from '@duckdb/node-api';

/** The file of the extension, in the layout that DuckDB itself uses below an extension directory. */
const FILE = 'ducklake.duckdb_extension';

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

/** Where the extension lies below `directory`, whether it is there or not. */
export function extensionFile(directory: string, platform: string): string {
  return join(directory, engineVersion(), platform, FILE);
}

/** Our own cache, shared by all data directories of this user. */
export function cacheDirectory(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const base = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(base, 'auraison-edge', 'duckdb-extensions');
}

/** Where an extension may already lie: beside the data, in our cache, where DuckDB's own INSTALL puts it. */
export function searchDirectories(dataDir: string): string[] {
  return [join(dataDir, 'extensions'), cacheDirectory(), join(homedir(), '.duckdb', 'extensions')];
}

export function findExtension(directories: readonly string[], platform: string): string | undefined {
  return directories.map((directory) => extensionFile(directory, platform)).find((path) => existsSync(path));
}
