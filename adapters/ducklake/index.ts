import type { Clock } from '../../contract/index.ts';
import { DuckLakeLake } from './ducklake-lake.ts';
import { searchDirectories } from './extension-files.ts';

export { DuckLakeLake, type LakeOptions } from './ducklake-lake.ts';
export { cacheDirectory, installDirectory, REMOTE_EXTENSIONS, searchDirectories } from './extension-files.ts';
export { type Installed, type InstallOptions, installDucklakeExtension } from './install-extension.ts';
export { LakePlaces } from './lake-places.ts';
export { DuckParquetFiles } from './parquet-files.ts';

export { probeRemote } from './probe-remote.ts';
export type { RemotePlace } from './remote-place.ts';

export { type RestableLake, RestingLake } from './resting-lake.ts';

/** The lake of a data directory, with the extension from wherever it is already installed. */
export function openLake(dataDir: string, clock: Clock): Promise<DuckLakeLake> {
  return DuckLakeLake.open({ dataDir, clock, extensionDirectories: searchDirectories(dataDir) });
}
