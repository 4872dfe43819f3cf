import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** The composition root makes parts of each other and does nothing itself: what does something lives in a room. */
const root = join(import.meta.dirname, '..', '..');
const files = execFileSync(
  'git',
  ['ls-files', '--cached', '--others', '--exclude-standard', 'daemon/compose'],
  {
    cwd: root,
    encoding: 'utf8',
  },
)
  .split('\n')
  .filter((name) => name.endsWith('.ts'))
  .flatMap((name) => readMaybe(name));

function readMaybe(name: string): { readonly name: string; readonly lines: readonly string[] }[] {
  try {
    return [{ name, lines: readFileSync(join(root, name), 'utf8').trimEnd().split('\n') }];
  } catch {
    return []; // deleted in the work tree, not yet in the index
  }
}

/** Lines of code, comments aside, that fit the pattern. */
function found(pattern: RegExp): string[] {
  return files.flatMap(({ name, lines }) =>
    lines.flatMap((line, index) => {
      const code = /^\s*(?:\*|\/)/.test(line) ? '' : line.replace(/\/\/.*$/, '');
      return pattern.test(code) ? [`${name}:${index + 1}: ${line.trim()}`] : [];
    }),
  );
}

it('has no class', () => {
  expect(found(/\bclass\s+\w+/)).toEqual([]);
});

it('starts no timer', () => {
  expect(found(/\bset(?:Timeout|Interval|Immediate)\s*\(/)).toEqual([]);
});

it('has no loop but one over things that are there', () => {
  expect(found(/\bwhile\s*\(|\bdo\s*\{|\bfor\s*\((?!const\s)|\bfunction\s*\*|\byield\b/)).toEqual([]);
});

it('stays small', () => {
  const count = files.reduce((sum, { lines }) => sum + lines.length, 0);
  expect(count).toBeGreaterThan(1_000);
  expect(count).toBeLessThan(6_900);
});
