import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BOUNDS } from '../support/faults/bounds.ts';
import type { Row, Worst } from '../support/faults/campaign.ts';
import { faultCard, linesOf, linesTooSlow, linesWanted } from '../support/faults/card.ts';
import { FAULTS } from '../support/faults/faults.ts';

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

  it('has no robot that was slower to rest than its bound and the allowance of the host', () => {
    expect(linesTooSlow(CARD)).toEqual([]);
  });

  it('bears no date', () => {
    expect(CARD).not.toMatch(/\b20\d\d-\d\d-\d\d\b/);
  });
});

describe('a card', () => {
  const row = (id: string, worst: Worst): Row => ({
    ...{ fault: FAULTS.find((one) => one.id === id)!, robot: 'arm', trials: 3, unmoved: 0, worst },
    ...{ lateCommands: 0, takeoversLost: 0, restedTooLate: 0, overspeed: 0, collisions: 0 },
    ...{ ways: {}, hostLateMs: worst.allowanceMs ?? 0 },
  });
  const card = (...rows: readonly Row[]) => faultCard({ rows, commands: [] });

  it('shows what a busy host added to the bound of the slowest trial, in a column of its own', () => {
    const made = card(row('daemon.estop.api', { restMs: 1_378.2, boundMs: 715, allowanceMs: 663.4 }));
    expect(made).toContain('| slowest to rest, and its bound | allowance of the host |');
    expect(made).toContain('| 1378 of 715 ms | 664 ms | 0 | 0 |');
    expect(linesTooSlow(made)).toEqual([]);
  });

  it('has no such column in accelerated time, where no host is busy', () => {
    const made = card(row('estop.file', { restMs: 300, boundMs: 965, allowanceMs: 0 }));
    expect(made).toContain('| 300 of 965 ms | 0 | 0 |');
  });

  it.each<[string, Worst]>([
    ['daemon.estop.api', { restMs: 1_378, boundMs: 715, allowanceMs: 600 }],
    ['daemon.estop.api', { restMs: 1_378, boundMs: 715 }],
    ['estop.file', { restMs: 966, boundMs: 965, allowanceMs: 9 }],
  ])('with a robot that was too slow is found: %s %j', (id, worst) => {
    expect(linesTooSlow(card(row(id, worst)))).toEqual([expect.stringContaining(`\`${id}\``)]);
  });
});
