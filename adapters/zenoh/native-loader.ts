import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { join, relative } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { WIRE_VERSION } from './native-batch.ts';
import type { NativeModule } from './native-types.ts';

/** The line of `auraison doctor` about Zenoh. */
export type ZenohDriverReport = {
  readonly driver: 'native' | 'none';
  readonly path: string | undefined;
  readonly version: string | undefined;
  /** Why this driver, or why none: one line per place that was looked at. */
  readonly why: string;
};

export type LoaderEnvironment = Readonly<Record<string, string | undefined>>;

type Candidate = { readonly path: string; readonly origin: string };
type Found = { readonly module: NativeModule; readonly path: string; readonly why: string };

const NATIVE_DIR = join(import.meta.dirname, 'native');
const HINT =
  'run `auraison zenoh build` (needs Rust), or set AURAISON_ZENOH_NATIVE to a driver built elsewhere: docs/zenoh-policies.md';

/**
 * Loads the addon from the first of: AURAISON_ZENOH_NATIVE, the prebuilt package of this platform, the cache
 * that `auraison zenoh build` fills. Throws `zenoh.unavailable`, saying where it looked. Never builds anything.
 */
export function loadNative(env: LoaderEnvironment = process.env): NativeModule {
  const result = search(env);
  if (typeof result !== 'string') return result.module;
  throw new EdgeError('zenoh.unavailable', {
    operation: 'load the Zenoh driver',
    subject: `${process.platform}-${process.arch}`,
    message: `no native Zenoh driver: ${result}`,
    hint: HINT,
  });
}

/** Never throws: the daemon runs without Zenoh and says so. */
export function reportZenohDriver(env: LoaderEnvironment = process.env): ZenohDriverReport {
  const result = search(env);
  if (typeof result === 'string') {
    return { driver: 'none', path: undefined, version: undefined, why: `${result}; ${HINT}` };
  }
  const { addon, zenoh } = result.module.version();
  return {
    driver: 'native',
    path: result.path,
    version: `zenoh ${zenoh}, addon ${addon}`,
    why: result.why,
  };
}

/** The same hash as in `test/peers/zenoh.sh`: sha256 over "<sha256>  <path>\n" of each source, 16 digits. */
export function nativeSourceHash(dir: string = NATIVE_DIR): string | undefined {
  if (!existsSync(join(dir, 'Cargo.lock'))) return undefined;
  const sources = readdirSync(join(dir, 'src'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(dir, 'src', name))
    .filter((path) => statSync(path).isFile());
  const files = [...['Cargo.toml', 'Cargo.lock', 'build.rs'].map((name) => join(dir, name)), ...sources];
  const lines = files
    .map((path) => ({ name: relative(dir, path), hash: sha256(readFileSync(path)) }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)))
    .map(({ name, hash }) => `${hash}  ${name}\n`);
  return sha256(Buffer.from(lines.join(''))).slice(0, 16);
}

function search(env: LoaderEnvironment): Found | string {
  const misses: string[] = [];
  const require = createRequire(import.meta.url);
  for (const candidate of candidates(env, require, misses)) {
    if (!existsSync(candidate.path)) {
      misses.push(`${candidate.origin}: not there`);
      continue;
    }
    try {
      const module = require(candidate.path) as NativeModule;
      const { wire } = module.version();
      if (wire === WIRE_VERSION) return { module, path: candidate.path, why: candidate.origin };
      misses.push(`${candidate.origin}: batch layout ${wire}, but this daemon needs ${WIRE_VERSION}`);
    } catch (error) {
      misses.push(`${candidate.origin}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return misses.join('; ');
}

function* candidates(
  env: LoaderEnvironment,
  require: NodeJS.Require,
  misses: string[],
): Generator<Candidate, void, void> {
  const given = env['AURAISON_ZENOH_NATIVE'];
  if (given) {
    // An explicit choice is final: silently taking another driver would hide a wrong path.
    yield { path: given, origin: 'AURAISON_ZENOH_NATIVE' };
    return;
  }
  const name = `@auraison/zenoh-${process.platform}-${process.arch}`;
  try {
    yield { path: require.resolve(name), origin: `package ${name}` };
  } catch {
    misses.push(`package ${name}: not installed`);
  }
  const hash = nativeSourceHash();
  if (hash === undefined) {
    misses.push('build cache: this installation has no driver sources');
    return;
  }
  const cache =
    env['AURAISON_CACHE'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'auraison-edge');
  yield { path: join(cache, 'zenoh', hash, 'auraison-zenoh.node'), origin: `build cache ${hash}` };
}

function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
