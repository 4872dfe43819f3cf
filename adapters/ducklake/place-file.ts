import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { LakePlace } from '../../contract/core.ts';
import { fsyncPath } from './data-files.ts';
import { lakeUnavailable } from './faults.ts';
import { lakePaths } from './lake-engine.ts';

/** Where the lake of a data directory lives, and where it is being moved. */
export type PlaceFile = { readonly place: LakePlace; readonly moving?: LakePlace };

export function placeFilePath(dataDir: string): string {
  return join(dataDir, 'lake-place.json');
}

/**
 * Where the lake is. Without a file: where its rows are, else on the servers, if some are configured. Throws
 * `lake.unavailable` where it was moved to servers that are no longer configured: a new one beside it would lack what is
 * no longer in the logs.
 */
export function readPlace(dataDir: string, isRemoteConfigured: boolean): PlaceFile {
  const path = placeFilePath(dataDir);
  const found = existsSync(path) ? parse(path) : undefined;
  if (found?.place === 'remote' && !isRemoteConfigured)
    throw lakeUnavailable(
      path,
      'the lakehouse was moved to servers, and lake.catalog and lake.storage are empty',
      `configure them again and run \`auraison lake promote --back\`; or remove ${path} to start one from the logs`,
    );
  if (found) return isRemoteConfigured ? found : { place: found.place };
  const { catalog, plain } = lakePaths(dataDir);
  const isEmbedded = !isRemoteConfigured || existsSync(catalog) || existsSync(plain);
  return { place: isEmbedded ? 'embedded' : 'remote' };
}

/** Durable when it resolves. */
export async function writePlace(dataDir: string, file: PlaceFile): Promise<void> {
  const path = placeFilePath(dataDir);
  mkdirSync(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  writeFileSync(partial, `${JSON.stringify(file)}\n`);
  await fsyncPath(partial);
  renameSync(partial, path);
  await fsyncPath(dirname(path));
}

const PLACES: readonly unknown[] = ['embedded', 'remote'];

function parse(path: string): PlaceFile {
  try {
    const { place, moving } = JSON.parse(readFileSync(path, 'utf8')) as PlaceFile;
    if (PLACES.includes(place) && (moving === undefined || PLACES.includes(moving)))
      return moving === undefined || moving === place ? { place } : { place, moving };
  } catch {
    // Said below.
  }
  const example = '{"place":"embedded"} or {"place":"remote"}';
  throw lakeUnavailable(path, `${path} does not say where the lakehouse lives`, `write ${example} into it`);
}
