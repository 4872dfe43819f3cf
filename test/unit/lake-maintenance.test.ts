import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LakeEngine } from '../../adapters/ducklake/lake-engine.ts';
import { LakeMaintenance } from '../../adapters/ducklake/lake-maintenance.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

/** DuckLake leaves a file alone where its share is below the threshold, as the engine reads that. */
it('the share of deleted steps that is asked for reaches the file it comes from', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'lake-maintenance-'));
  const real = await LakeEngine.open({ dataDir, extensionDirectories: [] }, async (engine) => engine);
  try {
    for (const ratio of ['58372 / 60282', '1 / 1', '3 / 10', '1 / 3']) {
      const [[share] = []] = (await real.writer.runAndReadAll(`SELECT ${ratio}`)).getRows();
      let threshold = '';
      const engine = {
        info: { kind: 'ducklake', path: '' },
        files: { syncNew: async () => {} },
        transaction: (_operation: string, work: () => Promise<unknown>) => work(),
        writer: {
          run: async () => {},
          runAndReadAll: async (sql: string) => {
            threshold = /delete_threshold => (\S+)\)/.exec(sql)?.[1] ?? threshold;
            return { getRows: () => (sql.includes('min(share)') ? [[share]] : []) };
          },
        },
      };
      await new LakeMaintenance(engine as never, new ManualClock()).run();
      const asked = await real.writer.runAndReadAll(
        `SELECT ${ratio} >= CAST(${threshold} AS DOUBLE), ${ratio} - CAST(${threshold} AS DOUBLE) < 1e-6`,
      );
      expect([ratio, ...asked.getRows()[0]!]).toEqual([ratio, true, true]);
    }
  } finally {
    await real.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
