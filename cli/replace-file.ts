import {
  closeSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { EdgeError } from '../contract/core.ts';

/**
 * Writes a file of a person whole and durably, with the mode and the owner that it had; `mode` is that of a new one.
 * Throws `config.unreadable` with the hint where it cannot be written.
 */
export function replaceFile(
  path: string,
  text: string,
  { operation, mode, hint }: { readonly operation: string; readonly mode: number; readonly hint: string },
): void {
  const former = statSync(path, { throwIfNoEntry: false });
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const fd = openSync(temporary, 'w', mode);
    try {
      if (former) keepRights(fd, former);
      writeSync(fd, text);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
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

/** A service that reads the file by its group can still read it. */
function keepRights(fd: number, { uid, gid, mode }: Stats): void {
  const made = fstatSync(fd);
  if (made.uid !== uid || made.gid !== gid) fchownSync(fd, uid, gid);
  fchmodSync(fd, mode & 0o777);
}
