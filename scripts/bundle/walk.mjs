import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Every file and link below a folder, relative to it. */
export function walk(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
