import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { deadExports } from '../support/dead-exports.ts';

const root = join(import.meta.dirname, '..', '..');

/** Exports that only tests and benches use, and why they stay. The list only sinks. */
const KEPT: Readonly<Record<string, string>> = {
  'contract/calls.ts#CALL_OF': 'has the compiler compare two lists',
  'daemon/http/thaw-guard.ts#MOVES': 'has a test compare it with the routes of the API',
  'formats/cdr/images.ts#encodeCompressedImage': 'fake cameras write with it what production reads',
  'formats/cdr/navigation.ts#encodeOccupancyGrid': 'fake robots write with it what production reads',
  'formats/ros2/definitions.ts#KNOWN_TYPES': 'the property tests of all message types start from it',
};

it('no export is used by tests alone', () => {
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  }).split('\n');
  const sources = files
    .filter((name) => /\.(?:m?[jt]s|tsx)$/.test(name) && !/^(?:test|bench)\/|\.test\.ts$|\.d\.ts$/.test(name))
    // Generated, from schemas and by a bundler: names what no code calls.
    .filter((name) => !/^(?:contract\/schema|console\/built)\//.test(name) && existsSync(join(root, name)))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')] as const);
  expect(deadExports(sources)).toEqual(Object.keys(KEPT));
});

it('finds an export that is only declared, commented on and handed on', () => {
  expect(
    deadExports([
      ['a.ts', 'export function dead() {}\nexport const used = 1;\n/** `dead` is nice. */\n'],
      ['b.ts', "// dead\nexport { dead, used } from './a.ts';\nexport class Same {}\n"],
      ['c.ts', "import { used } from './a.ts';\nexport class Same {}\nconst own = used;\n"],
      ['d.ts', 'export const inner = 1;\nexport function outer() {\n  return inner;\n}\nouter();\n'],
    ]),
  ).toEqual(['a.ts#dead', 'b.ts#Same', 'c.ts#Same']);
});
