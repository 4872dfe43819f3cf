import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { openRobot, type Robot } from '../../cli/sdk/index.ts';
import { freshDir } from '../support/daemon.ts';
import { movedBy, notingTruth, simTruth } from '../support/sim-truth.ts';

const folder = freshDir('sdk-start');
const other = createServer();
let robot: Robot | undefined;
afterAll(async () => {
  await robot?.close();
  await new Promise((resolve) => other.close(resolve));
  folder.remove();
});

it('a program starts a daemon of its own beside another one, and says what it wants in words, without a model', async () => {
  // The port of the configuration is that of another daemon.
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const config = join(folder.path, 'robot.toml');
  writeFileSync(
    config,
    `[api]\nport = ${port}\n[zenoh]\nenabled = false\n[sim]\nseed = 2\nwidth = 3\nheight = 3\n`,
  );
  const truth = join(folder.path, 'truth');
  const env = notingTruth(truth);
  robot = await openRobot({ config, dataDir: join(folder.path, 'data'), start: { env, timeoutMs: 90_000 } });
  await expect
    .poll(async () => JSON.stringify((await robot!.status()).robot).includes('"ready":true'), {
      timeout: 60_000,
    })
    .toBe(true);
  const from = simTruth(truth)!.pose;
  const plan = await robot.ask('turn left');
  expect(plan).toMatchObject({ kind: 'intent', intent: { type: 'robot/turn' } });
  const { run, reason } = await plan.confirm();
  expect([run.status, reason]).toEqual(['succeeded', 'turned 1.570796 rad']);
  expect(Math.abs(movedBy(from, simTruth(truth)!.pose).turned - Math.PI / 2)).toBeLessThan(0.1);
  expect(await robot.ask('halt!')).toMatchObject({ kind: 'stopped' });
}, 200_000);
