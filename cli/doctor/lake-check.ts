import { enginePlatform, engineVersion, findExtension } from '../../adapters/ducklake/extension-files.ts';
import { cacheDirectory, searchDirectories } from '../../adapters/ducklake/index.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';

/** Which engine the lakehouse runs on here. Both hold the same tables; DuckLake adds snapshots and Parquet. */
export async function checkLake({ dataDir, config }: Settings): Promise<Check> {
  if (config.lake.engine === 'duckdb')
    return { name: 'lake', state: 'ok', detail: 'plain DuckDB, as configured (lake.engine)', fix: '' };
  const platform = await enginePlatform();
  const path = findExtension(searchDirectories(dataDir), platform);
  if (path !== undefined)
    return { name: 'lake', state: 'ok', detail: `DuckLake extension ${engineVersion()}: ${path}`, fix: '' };
  return {
    name: 'lake',
    state: 'absent',
    detail: `no DuckLake extension for DuckDB ${engineVersion()} (${platform}) in ${cacheDirectory()}: the same tables are kept in plain DuckDB and taken over later`,
    fix: 'auraison lake install',
  };
}
