import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AskPlan, RunDetails } from '../../contract/index.ts';
import { auraisonAsync, freshDir, finishedRun, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { movedBy, notingTruth, simTruth } from '../support/sim-truth.ts';

/** Wishes in words, without any model: the simulator measures what became of them. */
const folder = freshDir('auraison-own-words');
const truthFile = join(folder.path, 'truth');
let daemon: TestDaemon;
beforeAll(async () => {
  const config = join(folder.path, 'robot.toml');
  writeFileSync(
    config,
    `[sim]\nseed = 2\nwidth = 4\nheight = 4\n[[apps.places]]\nname = "start"\nalso = ["home"]\nx = 0.0\ny = 0.0\nyaw = 0.0\n`,
  );
  daemon = await testDaemon(join(folder.path, 'data'), {
    ...notingTruth(truthFile),
    AURAISON_CONFIG: config,
  });
}, 120_000);
afterAll(async () => {
  await daemon?.stop();
  folder.remove();
});

/** Where the robot truly is. A run has ended when it stands. */
const stands = async () => (await until(() => simTruth(truthFile), 'the simulator says where')).pose;
type Answer = { readonly plan: AskPlan; readonly run?: RunDetails['run']; readonly reason?: string; readonly done?: boolean };
async function ask(words: string, ...args: string[]) {
  const { status, stdout, stderr } = await auraisonAsync([
    ...['ask', words, '--json', ...args, '--data-dir', daemon.dataDir],
  ]);
  return { status, answer: (stdout === '' ? {} : JSON.parse(stdout)) as Answer, stderr };
}
/** Asks and measures. */
async function done(words: string) {
  const from = await stands();
  const { status, answer, stderr } = await ask(words, '--yes');
  const moved = movedBy(from, await stands());
  console.log(words, status, JSON.stringify(answer.reason), JSON.stringify(moved), stderr);
  return { words, status, run: answer.run?.status, ...moved };
}

it('a wish moves the robot by what was said, measured in the simulator, and only then it is succeeded', async () => {
  const near = (value: number, by: number) =>
    expect.toSatisfy((found: number) => Math.abs(found - value) <= by, `${value} ± ${by}`);
  const succeeded = { status: 0, run: 'succeeded' };
  for (const [words, forward, turned] of [
    ['half a metre forward', 0.5, 0],
    ['drive 20 cm back', -0.2, 0],
    ['turn left', 0, Math.PI / 2],
    ['please rotate 45 degrees to the right', 0, -Math.PI / 4],
    ['turn clockwise by half a turn', 0, Math.PI],
  ] as const)
    expect(await done(words)).toMatchObject({
      ...succeeded,
      ...{ forward: near(forward, 0.06), left: near(0, 0.06), turned: near(turned, 0.1) },
    });
}, 300_000);
