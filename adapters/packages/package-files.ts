import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { APP_LIMITS, type AppFault, type PackageFile } from '../../contract/apps/index.ts';

export const SIGNATURE_FILE = 'app.sig';

export type FilesResult =
  | { readonly ok: true; readonly files: readonly PackageFile[]; readonly signature: string | undefined }
  | { readonly ok: false; readonly faults: readonly AppFault[] };

/** What stands beside a package and is no part of it: hidden files and what npm installed. */
function isLeftOut(name: string): boolean {
  return (name.startsWith('.') && name !== '.' && name !== '..') || name === 'node_modules';
}

/**
 * The files of a package, sorted by path. Nothing outside its folder is read: a link is a fault, and so is whatever is
 * larger or more than `APP_LIMITS`. Never throws.
 */
export function readPackageFiles(folder: string): FilesResult {
  const files: PackageFile[] = [];
  let bytes = 0;
  let fault: AppFault | undefined;
  const walk = (below: string, depth: number): void => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      if (fault) return;
      if (isLeftOut(entry.name)) continue;
      const path = below === '' ? entry.name : `${below}/${entry.name}`;
      const wrong = nameFault(path);
      if (wrong !== undefined) fault = { file: shownPath(path), problem: wrong };
      else if (entry.isSymbolicLink())
        fault = { file: path, problem: 'is a link; put the file itself into the package' };
      else if (entry.isDirectory()) {
        if (depth >= APP_LIMITS.DEPTH_MAX)
          fault = { file: path, problem: `folders may be ${APP_LIMITS.DEPTH_MAX} deep` };
        else walk(path, depth + 1);
      } else if (!entry.isFile()) fault = { file: path, problem: 'is no regular file' };
      else if (files.length >= APP_LIMITS.FILES_MAX)
        fault = {
          file: '.',
          problem: `more than ${APP_LIMITS.FILES_MAX} files; keep data outside of the package`,
        };
      else {
        const read = readBounded(join(folder, path), APP_LIMITS.BYTES_MAX - bytes);
        if (typeof read === 'string') fault = { file: path, problem: read };
        else {
          bytes += read.length;
          files.push({ path, bytes: read });
        }
      }
    }
  };
  try {
    walk('', 0);
  } catch (thrown) {
    fault = { file: '.', problem: `cannot be read: ${(thrown as Error).message}` };
  }
  return fault ? { ok: false, faults: [fault] } : sorted(files);
}

/** What is wrong with the name of a file of a package; undefined: nothing. */
export function nameFault(path: string): string | undefined {
  if (path.length > APP_LIMITS.PATH_CHARS_MAX)
    return `a path has at most ${APP_LIMITS.PATH_CHARS_MAX} characters`;
  const parts = path.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) return 'leads out of the package';
  if (/[^\x20-\x7e\u00a0-\uffff]|[\\:*?"<>|]/.test(path))
    return 'has a character that no name of a package may have';
  return parts.length > APP_LIMITS.DEPTH_MAX + 1 ? `folders may be ${APP_LIMITS.DEPTH_MAX} deep` : undefined;
}

/** The same of files that came another way, for example in an archive. */
export function takeFiles(all: readonly PackageFile[]): FilesResult {
  const files = all.filter(({ path }) => !path.split('/').some(isLeftOut));
  const seen = new Set<string>();
  let bytes = 0;
  for (const { path, bytes: own } of files) {
    const wrong = nameFault(path) ?? (seen.has(path) ? 'is there twice' : undefined);
    if (wrong !== undefined) return { ok: false, faults: [{ file: shownPath(path), problem: wrong }] };
    seen.add(path);
    bytes += own.length;
    if (bytes > APP_LIMITS.BYTES_MAX)
      return { ok: false, faults: [{ file: '.', problem: `more than ${APP_LIMITS.BYTES_MAX} bytes` }] };
  }
  // A folder on the disk cannot hold it: known before anything is written.
  for (const { path } of files) {
    const above = foldersOf(path).find((folder) => seen.has(folder));
    if (above !== undefined) {
      const problem = `lies below ${shownPath(above)}, which is a file`;
      return { ok: false, faults: [{ file: shownPath(path), problem }] };
    }
  }
  return sorted(files);
}

/** `a/b/c` lies in `a` and `a/b`. */
function foldersOf(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

/** SHA-256 over sorted paths and contents. The signature is no part of what it signs. */
export function digestOf(files: readonly PackageFile[]): string {
  const hash = createHash('sha256').update('auraison-app 1\n');
  for (const { path, bytes } of files) hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  return hash.digest('hex');
}

function sorted(all: readonly PackageFile[]): FilesResult {
  const files = all
    .filter(({ path }) => path !== SIGNATURE_FILE)
    .sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const signature = all.find(({ path }) => path === SIGNATURE_FILE);
  return { ok: true, files, signature: signature && Buffer.from(signature.bytes).toString('latin1').trim() };
}

/** The bytes, or what is wrong. Never follows a link and never waits for a pipe. */
function readBounded(path: string, left: number): Uint8Array | string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const about = fstatSync(fd);
    if (!about.isFile()) return 'is no regular file';
    if (about.size > APP_LIMITS.FILE_BYTES_MAX)
      return `has ${about.size} bytes, at most ${APP_LIMITS.FILE_BYTES_MAX} are allowed`;
    if (about.size > left) return `with it the package has more than ${APP_LIMITS.BYTES_MAX} bytes`;
    const bytes = new Uint8Array(about.size);
    const count = readSync(fd, bytes, 0, bytes.length, 0);
    return bytes.subarray(0, count);
  } finally {
    closeSync(fd);
  }
}

function shownPath(path: string): string {
  return JSON.stringify(path.slice(0, 120)).slice(1, -1);
}
