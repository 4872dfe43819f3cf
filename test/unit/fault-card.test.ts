import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../support/faults/bounds.ts';
import { linesOf, linesWanted } from '../support/faults/card.ts';

/** The published card says what the campaign does: no fault is missing from it, and none is left over. */
const CARD = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'fault-card.md'), 'utf8');

describe('docs/fault-card.md', () => {
  it('has a line for every fault and robot of the plan, and no other', () => {
    expect([...linesOf(CARD)].sort()).toEqual([...linesWanted()].sort());
  });

  it('has every declared bound as it is derived now', () => {
    for (const [kind, { of }] of Object.entries(BOUNDS)) {
      const cells = (['base', 'arm', 'ros'] as const).map((robot) => {
        const { commandsMs, restMs } = of({ robot });
        return commandsMs === undefined ? '' : `${commandsMs} / ${restMs}`;
      });
      expect(CARD).toContain(`| ${kind} | ${cells.join(' | ')} |`);
    }
  });

  it('reports no command after a bound and no takeover lost', () => {
    expect(CARD).toContain('| moving commands after the declared bound | 0 |');
    expect(CARD).toContain('| takeovers lost to a program | 0 |');
  });

  it('bears no date', () => {
    expect(CARD).not.toMatch(/\b20\d\d-\d\d-\d\d\b/);
  });
});
