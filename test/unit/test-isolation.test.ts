import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ISOLATED } from '../../scripts/testing/isolated.mjs';

/** Files of unit tests share processes and loaded modules (vitest.config.ts). */
const root = join(import.meta.dirname, '..', '..');
const filesOf = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`);
const matching = (folder: string, pattern: RegExp) =>
  filesOf(folder).filter((name) => pattern.test(readFileSync(join(root, name), 'utf8')));

it('a file that replaces modules has a process of its own', () => {
  expect(matching('test/unit', /^vi\.(mock|doMock)\(/m).filter((name) => !ISOLATED.includes(name))).toEqual(
    [],
  );
});

it('what several files load registers no hooks while it loads: only the first of them would have these', () => {
  const hooks = /^(beforeEach|afterEach|beforeAll|afterAll)\(/m;
  expect(
    ['test/support', 'test/fakes', 'test/conformance'].flatMap((folder) => matching(folder, hooks)),
  ).toEqual([]);
});
