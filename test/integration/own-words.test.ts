import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type AskPlan,
  type AskUnclear,
  isFinished,
  type Pose2d,
  type RunDetails,
  type Submitted,
} from '../../contract/index.ts';
import {
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { movedBy, notingTruth, simTruth } from '../support/sim-truth.ts';

/** Wishes in words, without any model: the simulator measures what became of them. */
const folder = freshDir('auraison-own-words');
const truthFile = join(folder.path, 'truth');
let daemon: TestDaemon;
let started: Pose2d;
beforeAll(async () => {
  const config = join(folder.path, 'robot.toml');
  writeFileSync(
    config,
    `[sim]\nseed = 2\nwidth = 4\nheight = 4\nspeed = "2"\n[[apps.places]]\nname = "start"\nalso = ["home"]\nx = 0.0\ny = 0.0\nyaw = 0.0\n`,
  );
  daemon = await testDaemon(join(folder.path, 'data'), {
    ...notingTruth(truthFile),
    AURAISON_CONFIG: config,
  });
  started = await stands();
}, 120_000);
afterAll(async () => {
  await daemon?.stop();
  folder.remove();
});

/** Where the robot truly is. A run has ended when it stands. */
const stands = async () => (await until(() => simTruth(truthFile), 'the simulator says where')).pose;
type Answer = {
  readonly plan: AskPlan;
  readonly run?: RunDetails['run'];
  readonly reason?: string;
  readonly done?: boolean;
};
async function ask(words: string, ...args: string[]) {
  const { status, stdout, stderr } = await auraisonAsync([
    ...['ask', words, '--json', ...args, '--data-dir', daemon.dataDir],
  ]);
  return { status, answer: (stdout === '' ? {} : JSON.parse(stdout)) as Answer, stderr };
}
/** Asks and measures. */
async function done(words: string) {
  const from = await stands();
  const { status, answer } = await ask(words, '--yes');
  const moved = movedBy(from, await stands());
  return { words, status, run: answer.run?.status, ...moved };
}

const near = (value: number, by: number) =>
  expect.toSatisfy((found: number) => Math.abs(found - value) <= by, `${value} ± ${by}`);

it('a wish moves the robot by what was said, measured in the simulator', async () => {
  for (const [words, forward, turned] of [
    ['half a metre forward', 0.5, 0],
    ['drive 20 cm back', -0.2, 0],
    ['turn left', 0, Math.PI / 2],
    ['please rotate 45 degrees to the right', 0, -Math.PI / 4],
  ] as const)
    expect(await done(words)).toMatchObject({
      ...{ status: 0, run: 'succeeded' },
      ...{ forward: near(forward, 0.06), left: near(0, 0.06), turned: near(turned, 0.1) },
    });
}, 300_000);

it('what it cannot do has failed, and is not called done', async () => {
  const blocked = await done('drive five metres forward');
  expect(blocked).toMatchObject({ status: 1, run: 'failed', forward: near(0, 4) });
}, 300_000);

it('explores, comes back to a place by its name, and says what it sees without moving', async () => {
  const from = await stands();
  const explored = await done('explore one edge');
  expect(explored).toMatchObject({ status: 0, run: 'succeeded' });
  const away = movedBy(from, await stands());
  expect(Math.hypot(away.forward, away.left)).toBeGreaterThan(0.2);
  expect(await done('go home')).toMatchObject({ status: 0, run: 'succeeded' });
  const { forward, left } = movedBy(started, await stands());
  expect(Math.hypot(forward, left)).toBeLessThan(0.4);
  const looked = await done('where are you?');
  expect(looked).toMatchObject({ run: 'succeeded', forward: near(0, 0.01), turned: near(0, 0.02) });
}, 300_000);

it('answers with what words may mean, and does none of it', async () => {
  const from = await stands();
  const unclear = await ask('turn', '--yes');
  expect(unclear).toMatchObject({ status: 3, answer: { done: false, plan: { kind: 'unclear' } } });
  const { candidates } = unclear.answer.plan as AskUnclear;
  expect(candidates.map(({ intent }) => intent)).toEqual([
    { type: 'robot/turn', params: { radians: 1.570796 } },
    { type: 'robot/turn', params: { radians: -1.570796 } },
  ]);
  const shown = await ask('half a metre forward');
  expect(shown).toMatchObject({
    ...{ status: 3 },
    answer: { plan: { kind: 'intent', intent: { type: 'robot/drive', params: { metres: 0.5 } } } },
  });
  const far = await ask('drive 50 metres forward', '--yes');
  expect([far.status, JSON.stringify(far.answer)]).toEqual([
    1,
    expect.stringContaining('robot/drive does not take'),
  ]);
  const song = await ask('sing a song', '--yes');
  expect([song.status, JSON.stringify(song.answer)]).toEqual([1, expect.stringContaining('half a metre')]);
  const { runs } = await daemon.api.get<{ runs: RunDetails[] }>('/v1/runs');
  expect(runs.filter(({ run }) => !isFinished(run.status))).toEqual([]);
  expect(movedBy(from, await stands())).toMatchObject({ forward: near(0, 0.01), turned: near(0, 0.02) });
  const [, right] = candidates;
  const { run } = await daemon.api.post<Submitted>(`/v1/ask/${right!.ask_id}/confirm`, {});
  expect((await finishedRun(daemon.api, run.run_id)).run.status).toBe('succeeded');
  expect(movedBy(from, await stands()).turned).toSatisfy((by: number) => Math.abs(by + Math.PI / 2) < 0.1);
}, 300_000);

it('"stop!" ends the motion and its run at once, without a question', async () => {
  const from = await stands();
  const { answer } = await ask('turn left by two full turns', '--yes', '--no-wait');
  await until(() => Math.abs(movedBy(from, simTruth(truthFile)?.pose ?? from).turned) > 0.2, 'it turns');
  const stop = await daemon.api.post<AskPlan>('/v1/ask', { words: 'Stop!' });
  expect(stop).toMatchObject({ kind: 'stopped', confirmed: true });
  expect((await finishedRun(daemon.api, answer.run!.run_id)).run.status).toBe('cancelled');
  const at = await stands();
  expect(await done('look around')).toMatchObject({ turned: near(0, 0.02) });
  expect(movedBy(at, await stands())).toMatchObject({ forward: near(0, 0.01), turned: near(0, 0.02) });
  expect(await ask('halt')).toMatchObject({ status: 0, answer: { done: true } });
}, 300_000);

it('the intent robot/stop ends a motion of another run, which has failed', async () => {
  const from = await stands();
  const { answer } = await ask('turn right by two full turns', '--yes', '--no-wait');
  await until(() => Math.abs(movedBy(from, simTruth(truthFile)?.pose ?? from).turned) > 0.2, 'it turns');
  const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'robot/stop', params: {} });
  expect((await finishedRun(daemon.api, run.run_id)).run.status).toBe('succeeded');
  expect(await finishedRun(daemon.api, answer.run!.run_id)).toMatchObject({
    run: { status: 'failed' },
    reason: expect.stringContaining('stopped'),
  });
}, 300_000);

it('an agent without a model says what it needs: to whom asks it, and to whom opens a chat', async () => {
  const why = 'no application serves robot/chat: robot is off: it needs a model: [[models]]';
  await expect(daemon.api.post('/v1/intents', { type: 'robot/chat' })).rejects.toThrow(why);
  const plan = await auraisonAsync(['plan', 'go to the door', '--wait', '--data-dir', daemon.dataDir]);
  expect(plan.status).toBe(1);
  expect(plan.stdout).toContain('no model is configured that could plan');
});
