import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { auraisonAsync, freshDir, type TestDaemon, testDaemon } from '../support/daemon.ts';

/** One command puts a real model to work: installed, tried, written, served and watched by a daemon that runs. */
const folder = freshDir('models-local');
let daemon: TestDaemon | undefined;
afterAll(async () => {
  await daemon?.stop();
  folder.remove();
});

type Listed = { readonly models: readonly { readonly name: string; readonly state: string }[] };
type Engine = { readonly state: string; readonly pid?: number; readonly restarts: number };

it('models add local: a running daemon serves it, restarts its server, and stops it when it is removed', async () => {
  const file = join(folder.path, 'robot.toml');
  const written = '# the robot of a test\n[sim]\nseed = 2\nwidth = 3\nheight = 3\n';
  writeFileSync(file, written);
  const dataDir = join(folder.path, 'data');
  const us = await testDaemon(dataDir, { AURAISON_CONFIG: file });
  daemon = us;
  const cli = async (...args: string[]) => {
    const ran = await auraisonAsync(['--config', file, '--data-dir', dataDir, '--json', ...args]);
    return { status: ran.status, value: JSON.parse(ran.stdout) as Record<string, unknown> };
  };
  const runtime = await us.pidOf('runtime');

  const added = await cli('models', 'add', 'local', '--timeout', '280000');
  expect(added).toMatchObject({
    status: 0,
    value: { added: 'local', test: { tool_call: { ok: true } }, daemon: { state: 'taken' } },
  });
  expect(readFileSync(file, 'utf8')).toMatch(/^# the robot of a test\n\[sim]\nseed = 2/);

  const state = async () => (await us.api.get<Listed>('/v1/models')).models[0]?.state;
  const engine = () => us.api.get<Engine>('/v1/engine');
  await expect.poll(state, { timeout: 120_000, interval: 500 }).toBe('up');
  expect((await cli('models', 'test', 'local', '--timeout', '120000')).value).toMatchObject({
    text: expect.stringMatching(/\w/),
    tool_call: { ok: true, call: expect.stringMatching(/^turn\(\{.*(left|right)/) },
  });
  // The general agent, which needs a model, is offered without a restart.
  const { apps } = await us.api.get<{ apps: { name: string; state: string }[] }>('/v1/apps');
  expect(apps.find(({ name }) => name === 'robot')).toMatchObject({ state: 'loaded' });
  // The cell that took it is the one that ran before.
  expect(await us.pidOf('runtime')).toBe(runtime);

  const { pid } = await engine();
  process.kill(pid!, 'SIGKILL');
  await expect
    .poll(async () => (await engine()).restarts, { timeout: 60_000, interval: 250 })
    .toBeGreaterThan(0);
  await expect.poll(async () => (await engine()).state, { timeout: 120_000, interval: 500 }).toBe('ready');

  const served = (await engine()).pid!;
  expect(await cli('models', 'remove', 'local')).toMatchObject({
    status: 0,
    value: { engine_removed: true, daemon: { state: 'taken' } },
  });
  expect(readFileSync(file, 'utf8')).toBe(written);
  await expect.poll(() => isAlive(served), { timeout: 30_000 }).toBe(false);
}, 600_000);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
