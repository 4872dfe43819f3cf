import { readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';

/** Where `bin/auraison` says which file it has left before this process started. */
const LEFT = 'STOP_FILE_LEFT';

/** The file that the shell left to stop the robot at once, if it did, and whether it is this one. */
export function isLeftEarly(file: string, env: NodeJS.ProcessEnv = process.env): boolean {
  const left = env[LEFT];
  return left !== undefined && resolve(left) === resolve(file);
}

/**
 * The stop holds without the file now, or no process watches it: it would only keep a person from releasing it. On a
 * full disk the shell left an empty one. A file in which somebody wrote something else meanwhile is his.
 */
export function takeEarly(file: string, reason: string, env: NodeJS.ProcessEnv = process.env): void {
  if (!isLeftEarly(file, env)) return;
  try {
    if (['', `${reason}\n`].includes(readFileSync(file, 'utf8'))) rmSync(file);
  } catch {
    // The file is gone already: the stop was released meanwhile, and the file with it.
  }
}
