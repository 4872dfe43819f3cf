import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { APP_LIMITS, type AppPackage } from '../../contract/apps/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { digestOf, readPackageFiles, SIGNATURE_FILE } from './package-files.ts';

/** One installed package, as `apps/lock.json` of the data directory pins it. */
export type LockRow = {
  readonly version: string;
  readonly digest: string;
  /** What was named when it was installed. */
  readonly from: string;
  readonly signed_by: string;
};
export type Lock = Readonly<Record<string, LockRow>>;

const DIGEST = /^[0-9a-f]{64}$/;
const NAME = /^[a-z][a-z0-9-]*$/;

/**
 * Where packages lie in the data directory: `apps/installed/NAME` with `apps/lock.json`, and `apps/versions/DIGEST`, a
 * copy of each version that was loaded. A run works with its copy: whatever becomes of the package, it keeps what it
 * started with.
 */
export class PackageStore {
  readonly #root: string;

  constructor(dataDir: string) {
    this.#root = join(dataDir, 'apps');
  }

  get lockFile(): string {
    return join(this.#root, 'lock.json');
  }

  folderOf(name: string): string {
    return join(this.#root, 'installed', name);
  }

  versionFolder(digest: string): string {
    return join(this.#root, 'versions', digest);
  }

  hasVersion(digest: string): boolean {
    return DIGEST.test(digest) && existsSync(join(this.versionFolder(digest), 'app.toml'));
  }

  /** What is pinned; empty where nothing is installed. Throws `config.invalid` where the file was damaged. */
  lock(): Lock {
    const path = this.lockFile;
    if (!existsSync(path)) return {};
    try {
      return lockOf(JSON.parse(readFileSync(path, 'utf8')));
    } catch (cause) {
      throw new EdgeError('config.invalid', {
        operation: 'read lock',
        subject: path,
        message: `${path} is damaged: ${(cause as Error).message}`,
        hint: 'delete it, then install the packages again',
      });
    }
  }

  /** Puts a package into its place, whole or not at all, and pins it. */
  install(pkg: AppPackage, from: string, signature: string | undefined): LockRow {
    const { name, version } = pkg.manifest;
    const row = { version, digest: pkg.digest, from, signed_by: pkg.signedBy ?? '' };
    const target = this.folderOf(name);
    const fresh = `${target}.new`;
    rmSync(fresh, { recursive: true, force: true });
    writeFiles(fresh, pkg, signature, 0o644);
    const lock = { ...this.lock(), [name]: row };
    rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
    this.#pin(lock);
    return row;
  }

  /** False: nothing of this name is installed. */
  remove(name: string): boolean {
    const { [name]: row, ...rest } = this.lock();
    if (!row) return false;
    this.#pin(rest);
    rmSync(this.folderOf(name), { recursive: true, force: true });
    return true;
  }

  /** Keeps a copy of this version; its folder. */
  keep(pkg: AppPackage): string {
    const folder = this.versionFolder(pkg.digest);
    // What was changed there by hand is written again: a run works with what its digest says.
    const there = this.hasVersion(pkg.digest) ? readPackageFiles(folder) : undefined;
    if (there?.ok && digestOf(there.files) === pkg.digest) return folder;
    const fresh = `${folder}.${process.pid}`;
    rmSync(fresh, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
    writeFiles(fresh, pkg, undefined, 0o444);
    renameSync(fresh, folder);
    return folder;
  }

  /** Forgets the oldest versions beyond the limit, never one of these. */
  trim(needed: ReadonlySet<string>): void {
    const root = join(this.#root, 'versions');
    if (!existsSync(root)) return;
    const idle = readdirSync(root)
      .filter((name) => !needed.has(name))
      .map((name) => ({ name, atMs: lstatSync(join(root, name)).mtimeMs }))
      .sort((a, b) => b.atMs - a.atMs);
    for (const { name } of idle.slice(APP_LIMITS.VERSIONS_KEPT))
      rmSync(join(root, name), { recursive: true, force: true });
  }

  #pin(apps: Lock): void {
    const path = this.lockFile;
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, `${JSON.stringify({ apps }, undefined, 2)}\n`);
    renameSync(`${path}.new`, path);
  }
}

/** Names become folders and digests are compared: neither is taken as it comes. Throws where it is no lock. */
function lockOf(value: unknown): Lock {
  const apps = (value as { apps?: unknown } | null)?.apps;
  if (typeof apps !== 'object' || apps === null || Array.isArray(apps))
    throw new TypeError('apps is missing');
  for (const [name, row] of Object.entries(apps)) {
    const digest = (row as { digest?: unknown } | null)?.digest;
    if (!NAME.test(name) || typeof digest !== 'string' || !DIGEST.test(digest))
      throw new TypeError(`the row ${JSON.stringify(name.slice(0, 64))} names no package and its digest`);
  }
  return apps as Lock;
}

function writeFiles(
  folder: string,
  { files }: AppPackage,
  signature: string | undefined,
  mode: number,
): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { path, bytes } of files) {
    const to = join(folder, path);
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    writeFileSync(to, bytes);
    chmodSync(to, mode);
  }
  if (signature !== undefined) writeFileSync(join(folder, SIGNATURE_FILE), `${signature}\n`);
}
