import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { startCentral } from '../../central/start-central.ts';
import { HttpCentral } from '../../central-link/http-central.ts';
import { centralConformance } from '../conformance/central.ts';

centralConformance('HttpCentral and the reference coordinator', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'central-'));
  const clock = new SystemClock();
  const running = await startCentral({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    clock,
    secrets: new FileSecrets(dataDir, 'test'),
  });
  const central = new HttpCentral({ url: running.url, clock, token: () => running.token });
  return {
    central,
    async end() {
      await central.close();
      await running.stop();
      rmSync(dataDir, { recursive: true });
    },
  };
});
