import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..');

it('docs/hostile.md names tests for every attack, and they exist', () => {
  const rows = readFileSync(join(ROOT, 'docs/hostile.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2);
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const [, attack, containment, tests] = row.split(/(?<!\\)\|/);
    const named = [...(tests ?? '').matchAll(/`(test\/[^`]+)`/g)].map(([, path]) => path!);
    expect(named.length, attack).toBeGreaterThan(0);
    expect(containment!.trim(), attack).not.toBe('');
    expect(
      named.filter((path) => !existsSync(join(ROOT, path))),
      attack,
    ).toEqual([]);
  }
});
