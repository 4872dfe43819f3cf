import { gunzipSync, gzipSync } from 'node:zlib';
import { APP_LIMITS, type PackageFile } from '../../contract/apps/index.ts';
import { readTar, writeTar } from '../../formats/tar/index.ts';
import { type FilesResult, takeFiles } from './package-files.ts';

/** Headers and rests of blocks beside the contents of an archive. */
const TAR_EXTRA = 4 * 1024 * 1024;

/**
 * The files of a package in a gzipped tar archive, as `auraison app pack` and `npm pack` make them: below one folder or
 * at the top. What unfolds to more than `APP_LIMITS` is refused before it is unfolded. Never throws.
 */
export function readArchive(archive: Uint8Array): FilesResult {
  if (archive.length > APP_LIMITS.ARCHIVE_BYTES_MAX)
    return bad(
      `the archive has ${archive.length} bytes, at most ${APP_LIMITS.ARCHIVE_BYTES_MAX} are allowed`,
    );
  let tar: Uint8Array;
  try {
    tar = gunzipSync(archive, { maxOutputLength: APP_LIMITS.BYTES_MAX + TAR_EXTRA });
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    return bad(
      code === 'ERR_BUFFER_TOO_LARGE'
        ? `the archive unfolds to more than ${APP_LIMITS.BYTES_MAX} bytes`
        : `is no gzipped tar archive: ${message}`,
    );
  }
  const read = readTar(tar, { filesMax: APP_LIMITS.FILES_MAX, fileBytesMax: APP_LIMITS.FILE_BYTES_MAX });
  return read.ok ? takeFiles(unwrapped(read.files)) : bad(read.problem);
}

/** The same files give the same bytes. */
export function makeArchive(files: readonly PackageFile[]): Uint8Array {
  return gzipSync(writeTar(files.map(({ path, bytes }) => ({ path: `package/${path}`, bytes }))), {
    level: 9,
  });
}

/** npm puts all files below `package/`, others below the name; a package of its own has app.toml at the top. */
function unwrapped(all: readonly PackageFile[]): readonly PackageFile[] {
  const files = all.map(({ path, bytes }) => ({ path: path.replace(/^\.\//, ''), bytes }));
  if (files.some(({ path }) => path === 'app.toml')) return files;
  const root = files.find(({ path }) => /^[^/]+\/app\.toml$/.test(path))?.path.split('/')[0];
  if (root === undefined) return files;
  // What lies beside that folder stays as it is: its name is judged like any other.
  return files.map(({ path, bytes }) => ({
    path: path.startsWith(`${root}/`) ? path.slice(root.length + 1) : path,
    bytes,
  }));
}

function bad(problem: string): FilesResult {
  return { ok: false, faults: [{ file: '.', problem }] };
}
