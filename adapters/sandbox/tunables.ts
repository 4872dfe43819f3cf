import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ANY_WRITE = 0o222;

/**
 * Entries of `/proc` that belong to the host and not to a process: folders, and files that can be written. They belong
 * to root of the host, also where the user inside has another number: a daemon that runs as root would hand its sandboxes `sysrq-trigger` and
 * `sys/kernel/core_pattern`. Sandboxes get them to read only.
 */
export function tunables(proc = '/proc'): readonly string[] {
  return readdirSync(proc, { withFileTypes: true })
    .filter((entry) => !/^\d+$/.test(entry.name) && !entry.isSymbolicLink())
    .map((entry) => join(proc, entry.name))
    .filter((path) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found !== undefined && (found.isDirectory() || (found.mode & ANY_WRITE) !== 0);
    });
}
