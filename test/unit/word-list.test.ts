import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { countWords, PRIVATE_WORDS, proseOf, roomOf } from '../support/word-list.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const names = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: ROOT,
  encoding: 'utf8',
  maxBuffer: 1 << 26,
})
  .split('\n')
  .filter((name) => name !== '' && roomOf(name) !== undefined && existsSync(join(ROOT, name)));
const counts = countWords(names.map((name) => [name, readFileSync(join(ROOT, name), 'utf8')] as const));
const budgets = JSON.parse(
  readFileSync(join(ROOT, 'test/support/word-budgets.json'), 'utf8'),
) as typeof counts;

describe('the word list of CONTRIBUTING.md', () => {
  it('has each word that is counted', () => {
    const page = readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8');
    const missing = PRIVATE_WORDS.filter(({ word }) => !page.includes(`| ${word}`)).map(({ word }) => word);
    expect(missing).toEqual([]);
  });

  it.each(PRIVATE_WORDS)('$word: no room uses it more often than its budget', ({ word }) => {
    const over = Object.entries(counts[word] ?? {})
      .filter(([room, count]) => count > (budgets[word]?.[room] ?? 0))
      .map(([room, count]) => `${room}: ${count} times, ${budgets[word]?.[room] ?? 0} allowed`);
    expect(over, 'write the usual word of CONTRIBUTING.md; budgets only sink').toEqual([]);
  });
});

describe('what is counted', () => {
  it.each([
    ['a/b.ts', '/** It is told. */', 1],
    ['a/b.ts', 'const told = 1; // told', 1],
    ['a/b.ts', "throw new Error('nobody was told');", 1],
    ['a/b.ts', "call('told');", 0],
    ['a/b.ts', '/** Calls `told`. */', 0],
    ['a/b.ts', `const text = \`a \${told} b\`;`, 0],
    ['docs/a.md', 'Told.\n\n```\ntold\n```\n\n    told\n', 1],
    ['test/a.ts', '// told', 0],
  ])('%s: %s counts %i', (file, text, expected) => {
    expect(Object.values(countWords([[file, text]])['told'] ?? {})[0] ?? 0).toBe(expected);
  });

  it('does not mistake an address for a comment', () => {
    expect(proseOf('a.ts', "const url = 'https://a.example/told';")).not.toContain('told');
  });
});
