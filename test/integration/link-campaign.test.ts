import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runLinkCampaign } from '../support/link-campaign/link-campaign.ts';

/** The long one is `bench/link.ts`. */
it('files and events reach central once over a rough line, while both ends are killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'link-campaign-'));
  const { events, files, line, faults } = await runLinkCampaign({
    ...{ folder, seed: 18, segments: 8, segmentBytes: 100_000, events: 80, bitPerSecond: 1_500_000 },
    ...{ faultSeconds: 8, everyMs: [200, 900], kills: 0.5, drainSeconds: 240 },
  });
  expect({ ...events, own: 0, written: 0 }).toEqual({ written: 0, lost: 0, twice: 0, own: 0 });
  expect(files).toEqual({ written: 8, lost: 0, twice: 0, wrong: 0 });
  expect(faults.robotKills + faults.centralKills).toBeGreaterThan(0);
  expect(faults.cuts).toBeGreaterThan(0);
  // Both ends die every second here; figures are in bench/README.md.
  expect(line.ratio).toBeLessThan(2);
  rmSync(folder, { recursive: true });
}, 300_000);
