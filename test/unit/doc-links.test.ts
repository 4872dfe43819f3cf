import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { deadLinks, slugsOf } from '../support/doc-links.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], {
  cwd: ROOT,
  encoding: 'utf8',
})
  .split('\n')
  .filter((name) => name !== '' && existsSync(join(ROOT, name)));

describe('links of documents', () => {
  it.each(pages)('%s: every relative link leads to a file, and every anchor to a heading', (page) => {
    const dead = deadLinks(readFileSync(join(ROOT, page), 'utf8'), (path) => {
      const target = join(ROOT, path === '' ? page : normalize(join(dirname(page), path)));
      if (!existsSync(target)) return undefined;
      return path === '' || path.endsWith('.md') ? readFileSync(target, 'utf8') : '';
    });
    expect(dead).toEqual([]);
  });
});

describe('the check of links', () => {
  const files: Record<string, string> = { '': '# Here\n', 'a.md': '# One `two`, three\n## Same\n## Same\n' };
  const read = (path: string) => files[path];

  it.each([
    ['[a](b.md)', ['b.md']],
    ['[a](a.md#one-two)', ['a.md#one-two']],
    ['[a](#there)', ['#there']],
    ['![a](a.png)', ['a.png']],
    ['[a]: b.md', ['b.md']],
    ['[a](a.md#one-two-three) [b](a.md#same-1) [c](#here) [d](https://example.org/x.md)', []],
    ['`[a](b.md)`', []],
    ['```\n[a](b.md)\n```', []],
  ])('%s', (text, dead) => {
    expect(deadLinks(text, read)).toEqual(dead);
  });

  it('names headings as GitHub does', () => {
    expect([...slugsOf('## What stops, and what not: `estop`\n')]).toEqual(['what-stops-and-what-not-estop']);
  });
});
