import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runLinkCampaign } from '../support/link-campaign/link-campaign.ts';

/** The long one is `bench/link.ts`. */
it('files and events reach central once over a rough line, while both ends are killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'link-campaign-'));
  const { events, files, line, faults } = await runLinkCampaign({
    ...{ folder, seed: 18, segments: 12, segmentBytes: 200_000, events: 150, bitPerSecond: 2_000_000 },
    ...{ faultSeconds: 12, everyMs: [300, 1_200], kills: 0.3, drainSeconds: 240 },
  });
  expect({ ...events, own: 0, written: 0 }).toEqual({ written: 0, lost: 0, twice: 0, own: 0 });
  expect(files).toEqual({ written: 12, lost: 0, twice: 0, wrong: 0 });
  expect(faults.robotKills + faults.centralKills).toBeGreaterThan(0);
  expect(faults.cuts).toBeGreaterThan(2);
  expect(line.ratio).toBeLessThan(1.5);
  rmSync(folder, { recursive: true });
}, 300_000);
