import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { houseSpecs } from '../support/house.ts';
import { withTable } from '../support/tools-table.ts';

describe('docs/tools.md', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'tools.md'), 'utf8');

  it('describes every tool as the code has it (node scripts/tools-doc.ts)', () => {
    expect(withTable(text)).toBe(text);
    for (const { spec } of houseSpecs()) expect(text).toContain(`### ${spec.name}\n`);
  });

  it('has names that models can be given, each once', () => {
    const names = houseSpecs().map(({ spec }) => spec.name.replaceAll('.', '_'));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][a-z_]{2,40}$/);
  });
});
