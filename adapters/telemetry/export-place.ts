import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Up to where a log is exported. `done`: of the runs that were open then. */
export type ExportPlace = { readonly from: number; readonly done: number };

/** Undefined: nothing was exported yet, or the file cannot be read. */
export function loadPlace(path: string): ExportPlace | undefined {
  try {
    const { from, done } = JSON.parse(readFileSync(path, 'utf8')) as Partial<ExportPlace>;
    return Number.isSafeInteger(from) && Number.isSafeInteger(done)
      ? { from: from!, done: done! }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Not fsynced: what is exported twice after a power cut has the same ids. */
export function savePlace(path: string, place: ExportPlace): void {
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.tmp`, JSON.stringify(place));
    renameSync(`${path}.tmp`, path);
  } catch {
    // The next one may succeed; until then spans may be exported twice.
  }
}
