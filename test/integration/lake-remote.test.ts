import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { REMOTE_EXTENSIONS } from '../../adapters/ducklake/extension-files.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import { lakeConformance } from '../conformance/lake.ts';
import { lakeSegmentConformance } from '../conformance/lake-segments.ts';
import { LakeServers } from '../support/lake-servers.ts';

const clock = new SystemClock();
const extensionDirectories = [cacheDirectory()];

beforeAll(async () => {
  for (const extension of REMOTE_EXTENSIONS)
    await installDucklakeExtension({ directory: cacheDirectory(), clock, extension });
}, 300_000);

for (const kind of ['seaweedfs', 'rclone over TLS'] as const)
  describe(kind, () => {
    let servers: LakeServers;
    beforeAll(async () => {
      servers = await LakeServers.start(kind);
    });
    afterAll(() => servers?.stop());

    const fixture = async () => {
      const dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
      const place = servers.place();
      return {
        open: () => DuckLakeLake.open({ dataDir, extensionDirectories, clock, remote: () => place }),
        dispose: () => rm(dataDir, { recursive: true, force: true }),
      };
    };
    lakeConformance(`PostgreSQL and ${kind}`, fixture);
    lakeSegmentConformance(`PostgreSQL and ${kind}`, fixture);
  });
