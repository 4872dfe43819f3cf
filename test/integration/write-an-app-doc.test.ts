import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { RunDetails } from '../../contract/index.ts';
import { freshDir, ROOT, type TestDaemon, testDaemon } from '../support/daemon.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

const folder = freshDir('auraison-doc');
let daemon: TestDaemon | undefined;
afterEach(async () => {
  await daemon?.stop();
  folder.remove();
});

/** The blocks of a shell in the page, in order, as somebody would type them. */
function blocks(): string[] {
  const page = readFileSync(join(ROOT, 'docs', 'write-an-app.md'), 'utf8');
  return [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, body]) => body!);
}

function typed(script: string, dataDir: string): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = spawn('bash', ['-euc', script], {
      cwd: folder.path,
      env: {
        ...process.env,
        PATH: `${join(ROOT, 'bin')}:${process.env['PATH']}`,
        AURAISON_DAEMON_DATA_DIR: dataDir,
        // Until the daemon of the test is there no other one of this host is asked.
        AURAISON_API_PORT: '9',
      },
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data));
    child.on('close', (code) => resolve({ code, said }));
  });
}

it('from nothing to a moving robot: the commands of docs/write-an-app.md, as they stand there', async () => {
  const dataDir = join(folder.path, 'data');
  const commands = join(folder.path, 'commands');
  let ups = 0;
  let starting: Promise<TestDaemon> | undefined;
  for (const block of blocks()) {
    // The daemon is one that a test can end: the line that starts it is done here.
    for (const part of block.split(/^(auraison up &)$/m)) {
      if (part === 'auraison up &') {
        ups += 1;
        // What is typed next does not wait for it either.
        starting = testDaemon(dataDir, notingCommands(commands));
        continue;
      }
      const { code, said } = await typed(part, dataDir);
      daemon = await starting;
      expect({ part, code, said }).toMatchObject({ code: 0 });
    }
  }
  expect(ups).toBe(1);
  expect(simCommands(commands).some(({ linear }) => linear !== 0)).toBe(true);
  const { runs } = await daemon!.api.get<{ runs: RunDetails[] }>('/v1/runs');
  expect(runs.map(({ app, app_version, reason }) => ({ app, app_version, reason }))).toEqual([
    { app: 'patrol', app_version: '0.2.0', reason: 'looked 2 times' },
    { app: 'patrol', app_version: '0.1.0', reason: 'drove 0.2 m and back' },
    { app: 'patrol', app_version: '0.1.0', reason: 'drove 0.3 m and back' },
  ]);
}, 300_000);
