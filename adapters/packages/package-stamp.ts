import { lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { APP_LIMITS } from '../../contract/apps/manifest.ts';

/** Files and folders that are looked at, of all packages. What lies beyond is seen by a reload. */
const SEEN_MAX = 4_096;

/** A text that changes when something in these folders does: names, sizes and times of their files. Never throws. */
export function watchedStamp(dirs: readonly string[], dataDir: string): string {
  const lines: string[] = [];
  const walk = (folder: string, depth: number): void => {
    if (depth > APP_LIMITS.DEPTH_MAX + 1) return;
    for (const entry of entriesOf(folder)) {
      if (lines.length >= SEEN_MAX) return;
      if (entry.name.startsWith('.') || entry.name === 'node_modules') continue;
      const path = join(folder, entry.name);
      lines.push(entry.isFile() ? `${path} ${stampOf(path)}` : path);
      if (entry.isDirectory()) walk(path, depth + 1);
    }
  };
  for (const dir of dirs) walk(dir, 0);
  lines.push(stampOf(join(dataDir, 'apps', 'lock.json')));
  return lines.join('\n');
}

function entriesOf(folder: string) {
  try {
    return statSync(folder).isDirectory() ? readdirSync(folder, { withFileTypes: true }) : [];
  } catch {
    return [];
  }
}

function stampOf(path: string): string {
  try {
    const { size, mtimeMs, ino } = lstatSync(path);
    return `${size} ${mtimeMs} ${ino}`;
  } catch {
    return '-';
  }
}
