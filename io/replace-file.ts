import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { EdgeError } from '../contract/core.ts';

/** Links that lead to a file that is not there yet; the kernel follows as many. */
const LINKS_MAX = 40;

/**
 * Writes a file of a person whole and durably, with the mode and the owner that it had; `mode` is that of a new one. A
 * symbolic link stays: the file that it leads to is written. Throws `config.unreadable` with the hint where it cannot be written.
 */
export function replaceFile(
  path: string,
  text: string,
  { operation, mode, hint }: { readonly operation: string; readonly mode: number; readonly hint: string },
): void {
  try {
    const target = targetOf(path);
    const former = statSync(target, { throwIfNoEntry: false });
    const temporary = `${target}.${process.pid}.tmp`;
    makeFolder(dirname(target));
    const fd = openSync(temporary, 'w', mode);
    try {
      if (former) keepRights(fd, former);
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, target);
  } catch (cause) {
    throw new EdgeError('config.unreadable', {
      operation,
      subject: path,
      message: `${path} cannot be written: ${(cause as Error).message}`,
      hint,
      cause,
    });
  }
}

/** The file behind symbolic links, also one that is not there yet. */
function targetOf(path: string): string {
  let target = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    const found = lstatSync(target, { throwIfNoEntry: false });
    if (!found?.isSymbolicLink()) return found ? realpathSync(target) : target;
    target = resolve(realpathSync(dirname(target)), readlinkSync(target));
  }
  throw new Error('too many symbolic links');
}

/** Not by `recursive`: below /proc that never comes to an end. */
function makeFolder(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolder(parent);
  try {
    mkdirSync(folder);
  } catch (thrown) {
    // Another process may have made it meanwhile.
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  }
}

/** A service that reads the file by its group can still read it. */
function keepRights(fd: number, { uid, gid, mode }: Stats): void {
  const made = fstatSync(fd);
  if (made.uid !== uid || made.gid !== gid) fchownSync(fd, uid, gid);
  fchmodSync(fd, mode & 0o777);
}
