// npm run lock: brings package-lock.json up to date with package.json, for every platform that the dependencies name.
//
// `npm install` beside an installed node_modules drops the optional packages of other platforms from the lock
// file, and `npm ci` then refuses it. This asks the registry in a folder without node_modules. npm takes a package
// that is in the lock file for complete, so the entries of packages that lack a platform are removed first.
// A registry that mirrors only some platforms leaves gaps: they get an entry without a hash, and the next run
// against a complete registry fills them.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * What keeps a lock file from being good for `npm ci` everywhere, one sentence each: an optional package without an
 * entry, an entry without version or hash, an address of a registry. An optional package of a development tool may
 * lack its hash where it is for another platform than those that the daemon runs on.
 */
export function lockFaults(lock) {
  const faults = [];
  for (const [path, entry] of Object.entries(lock.packages)) {
    for (const name of missingOptional(lock, path))
      faults.push(`${path || 'package.json'}: no entry for its optional ${name}`);
    if (path === '') continue;
    if (!entry.version) faults.push(`${path}: no version`);
    if (!entry.integrity && !mayLackHash(entry)) faults.push(`${path}: no hash`);
    if (entry.resolved) faults.push(`${path}: names a registry`);
  }
  return faults;
}

function mayLackHash({ dev, optional, os, libc }) {
  return Boolean(dev && optional && os && (!os.includes('linux') || libc?.includes('musl')));
}

function missingOptional(lock, path) {
  const names = Object.keys(lock.packages[path].optionalDependencies ?? {});
  return names.filter((name) => !entryFor(lock.packages, path, name));
}

/** As Node resolves it: beside the package that asks, then in each folder above. */
function entryFor(packages, from, name) {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('node_modules/') - 1))) {
    const found = packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`];
    if (found || folder === '') return found;
  }
}

/** Entries without a hash are asked for again, and with them the packages that want them. */
function withoutIncomplete(lock) {
  const packages = Object.fromEntries(
    Object.entries(lock.packages).filter(([path, entry]) => path === '' || entry.integrity),
  );
  const rest = { ...lock, packages };
  for (const path of Object.keys(packages))
    if (path !== '' && missingOptional(rest, path).length > 0) delete packages[path];
  return rest;
}

/** What the registry does not have gets an entry of the platform in its name, as npm would write it but its hash. */
function withGapsFilled(lock) {
  const packages = { ...lock.packages };
  for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
    for (const name of missingOptional(lock, path)) {
      const [, os, cpu, libc] =
        /(android|darwin|freebsd|linux|win32)-(arm64|x64)(?:-(musl))?$/.exec(name) ?? [];
      packages[`node_modules/${name}`] = {
        version: optionalDependencies[name],
        ...(cpu ? { cpu: [cpu] } : {}),
        ...(dev ? { dev } : {}),
        ...(libc ? { libc: [libc] } : {}),
        optional: true,
        ...(os ? { os: [os] } : {}),
      };
      process.stderr.write(`the registry has no ${name}: its entry has no hash\n`);
    }
  }
  const sorted = Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, 'en'));
  return { ...lock, packages: Object.fromEntries(sorted) };
}

function main() {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'auraison-lock-'));
  const path = join(folder, 'package-lock.json');
  const read = (from) => JSON.parse(readFileSync(from, 'utf8'));
  const text = (lock) => `${JSON.stringify(lock, null, 2)}\n`;
  try {
    for (const name of ['package.json', '.npmrc']) copyFileSync(join(root, name), join(folder, name));
    writeFileSync(path, text(withoutIncomplete(read(join(root, 'package-lock.json')))));
    const flags = ['install', '--package-lock-only', '--loglevel=error'];
    const { status } = spawnSync('npm', flags, { cwd: folder, stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
    const lock = withGapsFilled(read(path));
    const faults = lockFaults(lock);
    for (const fault of faults) process.stderr.write(`${fault}\n`);
    if (faults.length > 0) return 1;
    writeFileSync(join(root, 'package-lock.json'), text(lock));
    process.stderr.write(`package-lock.json holds ${Object.keys(lock.packages).length - 1} packages\n`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exit(main());
