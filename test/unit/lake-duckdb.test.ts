import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { lakeConformance } from '../conformance/lake.ts';
import { lakeBudgetConformance } from '../conformance/lake-budget.ts';
import { lakeSegmentConformance } from '../conformance/lake-segments.ts';

const plain = async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  return {
    open: () => DuckLakeLake.open({ dataDir, extensionDirectories: [], clock: new SystemClock() }),
    dispose: () => rm(dataDir, { recursive: true, force: true }),
  };
};
lakeConformance('plain DuckDB', plain);
lakeSegmentConformance('plain DuckDB', plain);
lakeBudgetConformance('plain DuckDB', plain);
