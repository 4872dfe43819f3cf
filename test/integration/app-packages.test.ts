import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AppView, ReplayOutcome, RunDetails, Submitted } from '../../contract/index.ts';
import {
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { movingCommands, notingCommands } from '../support/sim-commands.ts';

let folder: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
beforeEach(() => {
  folder = freshDir('auraison-packages');
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  folder.remove();
});

const at = (...path: string[]) => join(folder.path, ...path);

function write(path: string, text: string | Uint8Array): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

/** A command of the command line as a user types it; its answer, and the code it ended with. */
async function type<T>(...args: string[]): Promise<{ readonly code: number | null; readonly said: T }> {
  const { status, stdout, stderr } = await auraisonAsync([...args, '--json', '--data-dir', at('data')]);
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  return { code: status, said: JSON.parse(line) as T };
}

type Questions = { readonly questions: readonly { readonly question_id: string; readonly run_id: string }[] };
type Apps = { readonly apps: readonly AppView[] };

/** Commands that made the simulated robot move, as the simulator itself took them. */
const moving = () => movingCommands(at('commands'));

const SQUARE_TOML = `name = "square"
version = "0.1.0"
description = "Drives by a behavior tree"
harness = "flow"
tools = ["robot.navigate", "robot.maneuver"]
[[intents]]
type = "square/go"
description = "Drive to a place and back off"
[intents.params]
required = ["goal"]
[intents.params.properties.goal]
type = "object"
required = ["x", "y"]
[intents.params.properties.goal.properties.x]
type = "number"
[intents.params.properties.goal.properties.y]
type = "number"
`;
const SQUARE_TREE = `<root BTCPP_format="4" main_tree_to_execute="Square">
<BehaviorTree ID="Square">
<Sequence>
  <PipelineSequence>
    <RateController hz="2.0"><ComputePathToPose goal="{goal}" path="{path}"/></RateController>
    <RecoveryNode number_of_retries="1"><FollowPath path="{path}"/><Spin spin_dist="0.5"/></RecoveryNode>
  </PipelineSequence>
  <GoalReached goal="{goal}"/>
  <BackUp backup_dist="0.1"/>
</Sequence>
</BehaviorTree>
</root>
`;

const start = (env: Readonly<Record<string, string>> = {}) =>
  testDaemon(at('data'), { ...notingCommands(at('commands')), AURAISON_APPS_DIRS: at('apps'), ...env });

it('an application made of files alone moves the robot; what is broken or hostile beside it harms nothing', async () => {
  expect((await type('app', 'new', 'patrol', '--dir', at('apps'))).code).toBe(0);
  expect((await type('app', 'check', at('apps', 'patrol'))).said).toMatchObject({
    valid: true,
    intents: ['patrol/drive'],
  });
  write(at('apps', 'broken', 'app.toml'), 'name = "broken');
  write(at('apps', 'empty', 'README.md'), 'nothing');
  symlinkSync('/etc', at('apps', 'elsewhere'));
  mkdirSync(at('apps', 'crowd'));
  for (let i = 0; i < 10_000; i++) writeFileSync(at('apps', 'crowd', `f${i}`), '');
  write(at('apps', 'huge', 'app.toml'), new Uint8Array(5 * 1024 * 1024));
  await type('app', 'new', 'dreamer', '--dir', at('apps'));
  const dream = at('apps', 'dreamer', 'app.toml');
  write(dream, readFileSync(dream, 'utf8').replace('"robot.maneuver"', '"robot.maneuver", "robot.fly"'));
  write(
    at('apps', 'dreamer', 'flow.yaml'),
    'steps:\n  - id: up\n    tool: robot.fly\n  - id: done\n    end: succeeded\n',
  );
  // It takes the name of the first one, which was there before it.
  await type('app', 'new', 'patrol', '--dir', at('other'));
  mkdirSync(at('apps', 'zz'));
  for (const name of ['app.toml', 'flow.yaml'])
    write(at('apps', 'zz', name), readFileSync(at('other', 'patrol', name)));

  write(at('apps', 'square', 'app.toml'), SQUARE_TOML);
  write(at('apps', 'square', 'flow.xml'), SQUARE_TREE);
  expect((await type('app', 'check', at('apps', 'square'))).said).toMatchObject({
    valid: true,
    notes: [{ file: 'flow.xml', line: 5, key: '<ComputePathToPose>' }],
  });

  daemon = await start();
  const { said, code } = await type<Apps>('app', 'list');
  expect(code).toBe(1);
  const states = Object.fromEntries(
    said.apps.map(({ folder: where, state, reason }) => [
      where.split('/').at(-1) || 'built-in',
      { state, reason },
    ]),
  );
  expect(states).toMatchObject({
    patrol: { state: 'loaded', reason: '' },
    broken: { state: 'bad', reason: expect.stringContaining('app.toml:1') },
    empty: { state: 'bad', reason: expect.stringContaining('app.toml: is missing') },
    elsewhere: { state: 'bad', reason: expect.stringContaining('is a link') },
    crowd: { state: 'bad', reason: expect.stringContaining('more than 512 files') },
    huge: { state: 'bad', reason: expect.stringContaining('bytes') },
    zz: { state: 'bad', reason: expect.stringContaining('another application is called patrol') },
    dreamer: { state: 'bad', reason: expect.stringContaining('robot.fly') },
  });
  const log = (await allEvents(daemon.api)).filter(({ kind }) => kind === 'app.state');
  expect(log.filter(({ payload }) => (payload as { state: string }).state === 'bad')).toHaveLength(7);

  const { said: run, code: ended } = await type<RunDetails>(
    'intent',
    'send',
    'patrol/drive',
    '--params',
    '{"metres":0.3}',
    '--wait',
  );
  expect({ ended, status: run.run.status, reason: run.reason }).toEqual({
    ended: 0,
    status: 'succeeded',
    reason: 'drove 0.3 m and back',
  });
  expect(run).toMatchObject({
    app: 'patrol',
    app_version: '0.1.0',
    app_digest: said.apps.find(({ name }) => name === 'patrol')!.digest,
  });
  expect(moving().length).toBeGreaterThan(10);
  expect((await daemon.status()).robot).toMatchObject({ available: true });
  const replayed = await daemon.api.post<ReplayOutcome>(`/v1/runs/${run.run.run_id}/replay`, {});
  expect(replayed).toMatchObject({ verdict: 'identical' });
  const square = await type<RunDetails>(
    'intent',
    'send',
    'square/go',
    '--params',
    '{"goal":{"x":0.3,"y":0}}',
    '--wait',
  );
  expect([square.code, square.said.run.status, square.said.reason]).toEqual([
    0,
    'succeeded',
    'square: the tree succeeded',
  ]);
  const again = await daemon.api.post<ReplayOutcome>(`/v1/runs/${square.said.run.run_id}/replay`, {});
  expect(again).toMatchObject({ verdict: 'identical' });
  const twice = await type<{ error: { code: string } }>(
    'intent',
    'send',
    'patrol/drive',
    '--params',
    '{"metres":99}',
  );
  expect(twice).toMatchObject({ code: 1, said: { error: { code: 'schema.invalid' } } });
}, 240_000);

it('a run keeps its version while another is installed and when it is taken out, also over a kill of the runtime', async () => {
  mkdirSync(at('apps'));
  await type('app', 'new', 'patrol', '--dir', at('mine'));
  const flow = at('mine', 'patrol', 'flow.yaml');
  // Its run stands at a question until the test answers, however long the rest takes.
  write(flow, readFileSync(flow, 'utf8').replace('wait: 1 s', 'ask: Shall it drive home?'));
  const toml = at('mine', 'patrol', 'app.toml');
  write(toml, readFileSync(toml, 'utf8').replace('"robot.state"', '"robot.state", "person.ask"'));
  daemon = await start();
  const { api } = daemon;
  expect((await type('app', 'install', at('mine', 'patrol'))).said).toMatchObject({
    state: 'loaded',
    version: '0.1.0',
  });
  const first = await api.post<Submitted>('/v1/intents', { type: 'patrol/drive', params: { metres: 0.2 } });
  const question = async () => {
    const { questions } = await api.get<Questions>('/v1/questions');
    return questions.find(({ run_id }) => run_id === first.run.run_id);
  };
  await until(question, 'the first run asks');

  // Another version, from a tarball.
  write(toml, readFileSync(toml, 'utf8').replace('0.1.0', '0.2.0'));
  write(
    flow,
    'steps:\n  - id: only\n    tool: robot.maneuver\n    args: { kind: spin, angle_rad: 0.5 }\n  - id: done\n    end: succeeded\n    reason: the second version\n',
  );
  await type('app', 'pack', at('mine', 'patrol'), '--out', at('patrol.tgz'));
  expect((await type('app', 'install', at('patrol.tgz'))).said).toMatchObject({
    state: 'loaded',
    version: '0.2.0',
  });
  expect((await type('app', 'remove', 'patrol')).code).toBe(0);
  await expect(api.post('/v1/intents', { type: 'patrol/drive' })).rejects.toMatchObject({
    code: 'intent.unknown_type',
  });
  expect(await question()).toBeDefined();
  process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
  await type('app', 'install', at('patrol.tgz'));
  const { question_id } = (await until(question, 'it asks again'))!;
  await api.post(`/v1/questions/${question_id}/answer`, { answer: 'yes' });

  const done = await finishedRun(api, first.run.run_id);
  expect({
    status: done.run.status,
    reason: done.reason,
    version: done.app_version,
    attempt: done.run.attempt,
  }).toEqual({
    ...{ status: 'succeeded', reason: 'drove 0.2 m and back', version: '0.1.0', attempt: 2 },
  });
  const second = await until(
    async () =>
      (await api.post<Submitted>('/v1/intents', { type: 'patrol/drive', params: { metres: 0.2 } })).run
        .run_id,
    'the new version serves',
  );
  expect(await finishedRun(api, second)).toMatchObject({
    reason: 'the second version',
    app_version: '0.2.0',
  });
  const replayed = await api.post<ReplayOutcome>(`/v1/runs/${first.run.run_id}/replay`, {});
  expect(replayed).toMatchObject({ verdict: 'identical' });
}, 240_000);

it('a folder that changes is read again by itself; a bad change leaves the former version', async () => {
  await type('app', 'new', 'patrol', '--dir', at('apps'));
  daemon = await start();
  const view = async () =>
    (await daemon!.api.get<Apps>('/v1/apps')).apps.find(({ name }) => name === 'patrol');
  const { digest } = (await view())!;
  const toml = at('apps', 'patrol', 'app.toml');
  write(toml, readFileSync(toml, 'utf8').replace('harness', 'harnes'));
  const bad = await until(
    async () => ((await view())?.reason === '' ? undefined : await view()),
    'the fault is told',
  );
  expect(bad).toMatchObject({
    state: 'loaded',
    digest,
    reason: expect.stringContaining('did you mean harness'),
  });
  const { run } = await daemon.api.post<Submitted>('/v1/intents', {
    type: 'patrol/drive',
    params: { metres: 0.1 },
  });
  expect((await finishedRun(daemon.api, run.run_id)).app_digest).toBe(digest);
  write(toml, readFileSync(toml, 'utf8').replace('harnes', 'harness').replace('0.1.0', '0.1.1'));
  await until(async () => (await view())?.version === '0.1.1', 'the new version is there');
  rmSync(at('apps', 'patrol'), { recursive: true });
  await until(async () => (await view()) === undefined, 'it is gone');
}, 240_000);
