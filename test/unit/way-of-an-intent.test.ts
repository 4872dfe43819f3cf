import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

/** docs/architecture.md, "The way of an intent": what a reader passes from the API to the robot. */
const root = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(root, 'docs/architecture.md'), 'utf8');
const [, section = ''] = /^## The way of an intent\n([\s\S]*?)^## /m.exec(page) ?? [];
const rows = [...section.matchAll(/^\| (\d+) \| `([^`]+)` \| `([^`]+)` \| [^|]+ \|$/gm)].map((match) => ({
  number: Number(match[1]),
  file: match[2]!,
  symbol: match[3]!,
}));
/** Only sinks. There were 27 files before forwarding layers were merged. */
const ROWS_MAX = 23;

const textOf = (file: string) => readFileSync(join(root, file), 'utf8');

describe('the way of an intent', () => {
  it('is short, and its rows are numbered', () => {
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.length).toBeLessThanOrEqual(ROWS_MAX);
    expect(rows.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
  });

  it.each(rows)('$number: $file defines $symbol', ({ file, symbol }) => {
    expect(existsSync(join(root, file))).toBe(true);
    expect(textOf(file)).toMatch(new RegExp(`\\b(?:class|function|const) ${symbol}\\b`));
  });

  it('names what stands beside it by files that are there', () => {
    const beside = [...section.matchAll(/\(`([^`]+)`\)/g)].map((match) => match[1]!);
    expect(beside.length).toBeGreaterThan(3);
    expect(beside.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});
