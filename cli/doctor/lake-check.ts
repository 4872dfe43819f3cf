import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { enginePlatform, engineVersion, findExtension } from '../../adapters/ducklake/extension-files.ts';
import {
  cacheDirectory,
  probeRemote,
  type RemotePlace,
  searchDirectories,
} from '../../adapters/ducklake/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { remotePlaceOf } from '../../daemon/lake-place.ts';
import type { Settings } from '../../daemon/settings.ts';
import type { Check } from './checks.ts';

/** Which engine the lakehouse runs on here. Both hold the same tables; DuckLake adds snapshots and Parquet. */
export async function checkLake(settings: Settings): Promise<Check> {
  const { dataDir, config } = settings;
  if (config.lake.engine === 'duckdb')
    return { name: 'lake', state: 'ok', detail: 'plain DuckDB, as configured (lake.engine)', fix: '' };
  const remote = remotePlaceOf(settings);
  if (remote) return await checkServers(dataDir, remote);
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

/** Both servers, as the daemon would open them; a lake that it has open is not disturbed. */
async function checkServers(dataDir: string, remote: () => RemotePlace): Promise<Check> {
  try {
    const place = remote();
    const { catalog, storage } = await probeRemote(searchDirectories(dataDir), place, new SystemClock());
    const { host, port, schema } = place.catalog;
    const [db, files] = [`PostgreSQL ${host}:${port} (schema ${schema})`, `storage ${place.storage.url}`];
    if (catalog === undefined && storage === undefined)
      return { name: 'lake', state: 'ok', detail: `${db} and ${files} answer`, fix: '' };
    const faults = [
      ...(catalog === undefined ? [] : [`${db}: ${catalog}`]),
      ...(storage === undefined ? [] : [`${files}: ${storage}`]),
    ];
    const fix =
      'check addresses and credentials of [lake]; until then events wait in the logs, and the robot works';
    return { name: 'lake', state: 'bad', detail: faults.join('; '), fix };
  } catch (thrown) {
    const { message, hint } = EdgeError.from(thrown, 'lake.unavailable', 'lake.probe', 'lake');
    return { name: 'lake', state: 'bad', detail: message, fix: hint };
  }
}
