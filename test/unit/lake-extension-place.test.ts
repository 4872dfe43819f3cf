import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  enginePlatform,
  extensionFile,
  findExtension,
  installDirectory,
  searchDirectories,
} from '../../adapters/ducklake/extension-files.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lake-extension-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Whether a daemon with this environment and data directory finds what lies there. */
async function finds(dataDir: string, env: Record<string, string>, directory: string): Promise<boolean> {
  const platform = await enginePlatform();
  const path = extensionFile(directory, platform);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '');
  return findExtension(searchDirectories(dataDir, env), platform) === path;
}

it('a service installs and finds the extension in the cache that its unit names', async () => {
  const env = { AURAISON_CACHE: join(dir, 'cache'), HOME: '/', XDG_CACHE_HOME: join(dir, 'xdg') };
  const place = installDirectory({ dataDir: join(dir, 'data'), named: false }, env);
  expect(place).toBe(join(dir, 'cache', 'duckdb-extensions'));
  expect(await finds(join(dir, 'data'), env, place)).toBe(true);
});

it('what was installed for the user is still found where a cache is named', async () => {
  const env = { AURAISON_CACHE: join(dir, 'cache'), XDG_CACHE_HOME: join(dir, 'xdg') };
  const before = join(dir, 'xdg', 'auraison-edge', 'duckdb-extensions');
  expect(await finds(join(dir, 'data'), env, before)).toBe(true);
});

it('what is installed for a named data directory is found by its daemon, whoever runs it', async () => {
  const dataDir = join(dir, 'data');
  const place = installDirectory({ dataDir, named: true }, { XDG_CACHE_HOME: join(dir, 'root') });
  expect(await finds(dataDir, { XDG_CACHE_HOME: join(dir, 'other') }, place)).toBe(true);
});
