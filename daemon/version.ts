import { readFileSync } from 'node:fs';

/** Of this program: package.json is the one place that says it, also for packed files. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;
