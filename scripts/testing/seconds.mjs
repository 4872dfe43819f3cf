// How long the files took in a whole run: what longest-first.mjs and lanes.mjs read, once it is copied to seconds.json.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Shorter files need no place in the order, seconds. */
const LONG_S = 3;

export function secondsOf(lanes) {
  const files = lanes.flatMap(({ report }) => report?.files ?? []).filter(({ seconds }) => seconds >= LONG_S);
  files.sort((a, b) => a.file.localeCompare(b.file));
  return `${JSON.stringify(Object.fromEntries(files.map(({ file, seconds }) => [file, seconds])), null, 2)}\n`;
}

export function secondsOfFiles() {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'seconds.json'), 'utf8'));
}
