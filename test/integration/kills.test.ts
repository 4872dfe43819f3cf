import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killTimes } from '../support/kills/kill-campaign.ts';
import { judge } from '../support/kills/kill-verdict.ts';

/** Some of the 1,000 points that `bench/kills.ts` runs; another seed each time, told where one fails. */
const CASTS = [
  { cast: 'flows', points: 24 },
  { cast: 'flows and agents', points: 12 },
] as const;
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-kills-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a runtime cell that is killed at random points of its missions', () => {
  for (const { cast, points } of CASTS) {
    it(`does nothing twice, loses nothing and settles every run: ${cast}`, { timeout: 900_000 }, async () => {
      const seed = Date.now() % 1_000_000;
      const campaign = await killTimes({ points, seed, folder: join(folder, `${cast} ${seed}`), cast });
      const verdict = judge(campaign);
      const { kills } = campaign.seen;
      const facts = `seed ${seed}, ${JSON.stringify({ kills, ...verdict, broken: [] })}`;
      expect(verdict.broken, facts).toEqual([]);
      // The kills came while something was under way.
      expect(verdict.succeeded + verdict.failedByRule, facts).toBe(campaign.seen.missions);
      expect(verdict.attempts, facts).toBeGreaterThan(points / 2);
      expect(
        Object.values(verdict.effects).every((count) => count > 0),
        facts,
      ).toBe(true);
      expect(
        Object.values(kills).reduce((sum, count) => sum + count, 0),
        facts,
      ).toBeGreaterThan(points * 0.8);
    });
  }
});
