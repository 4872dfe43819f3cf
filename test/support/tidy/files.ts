import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The checkout that the rules are held over. */
export const ROOT = join(import.meta.dirname, '..', '..', '..');

/** What Node, a bundler or the compiler takes for a program; declarations alone run nothing. */
const PROGRAM = /\.[cm]?[jt]sx?$/;
const DECLARATION = /\.d\.[cm]?ts$/;
/** What the bundler makes of the console, for a browser. */
const BUNDLED = /^console\/built\//;

/** Everything that git knows or would take, below `place`; what is deleted in the work tree is not there. */
export function filesOf(place = '.'): readonly string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', place], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
    .split('\n')
    .filter((name) => name !== '');
}

/** A file that a rule about sources holds for, in whatever ending it is written. */
export function isSource(name: string): boolean {
  return PROGRAM.test(name) && !isDeclaration(name) && !BUNDLED.test(name);
}

/** A file of types alone, by its name. */
export function isDeclaration(name: string): boolean {
  return DECLARATION.test(name);
}

/** Name and text, or nothing where the file is deleted in the work tree and not yet in the index. */
export function readMaybe(name: string): [string, string][] {
  try {
    return [[name, readFileSync(join(ROOT, name), 'utf8')]];
  } catch {
    return [];
  }
}
