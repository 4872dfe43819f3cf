import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent, PlanView } from '../../contract/index.ts';
import { FakeOpenAi, say } from '../fakes/fake-openai.ts';
import {
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';

type Of<K extends AgentEvent['kind']> = Extract<AgentEvent, { kind: K }>;
type Told = Omit<PlanView, 'made'>;

const folder = freshDir('auraison-plan');
const drive = (distance_m: number, more: Record<string, unknown> = {}) => ({
  subgoal: 'robot.maneuver',
  params: { kind: 'drive', distance_m },
  deadline_ms: 60_000,
  success: [],
  fallback: 'abort',
  ...more,
});
const wait = (wait_ms: number) =>
  drive(0, { params: { kind: 'wait', wait_ms }, deadline_ms: wait_ms + 60_000 });
/** An answer of the model whose calls are `steps`, each time it is asked. */
let steps: unknown[] = [];
let model: FakeOpenAi;
let daemon: TestDaemon;

const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', daemon.dataDir]);
const events = async (runId: string) => {
  const all = (await allEvents(daemon.api)).filter((event) => event.run_id === runId);
  return <K extends AgentEvent['kind']>(kind: K) =>
    all.filter((event): event is Of<K> => event.kind === kind);
};

beforeAll(async () => {
  model = await FakeOpenAi.start((asked, response, server) =>
    say({ text: JSON.stringify({ steps }) })(asked, response, server),
  );
  const file = join(folder.path, 'plan.toml');
  writeFileSync(
    file,
    `[sim]
seed = 2
width = 3
height = 3
[planning]
subgoals = ["robot.*", "maze/find_exit"]
[[models]]
name = "planner"
url = "${model.url}"
model = "served/tiny"
`,
  );
  daemon = await testDaemon(join(folder.path, 'data'), { AURAISON_CONFIG: file });
}, 120_000);
afterAll(async () => {
  await daemon?.stop();
  await model?.stop();
  folder.remove();
});

describe('plans of a whole daemon', () => {
  it('are looked at, then carried out in the simulation, step by step, by the command line', async () => {
    const success = [{ fact: 'robot.distance', op: '>=', value: 0.1 }];
    steps = [drive(0.15, { success }), { ...drive(0), params: { kind: 'spin', angle_rad: 1 } }];
    const looked = await cli('plan', 'look around', '--dry-run', '--json');
    expect([looked.stderr, looked.status]).toEqual(['', 0]);
    const dry = JSON.parse(looked.stdout) as Told & { plan: { steps: unknown[] } };
    expect(dry).toMatchObject({ dry_run: true, status: 'succeeded', plan: { goal: 'look around' } });
    expect((await events(dry.run_id))('tool.called').map(({ payload }) => payload.tool)).toEqual([
      'robot.facts',
    ]);
    // What the server is asked for is the grammar of what is offered and known.
    const schema = JSON.stringify(model.asked[0]!.body['response_format']);
    expect(schema).toMatch(/robot\.navigate.*robot\.maneuver.*maze\/find_exit/s);
    expect(schema).toMatch(/robot\.pose\.x/);

    const done = await cli('plan', 'look around', '--wait');
    expect([done.stderr, done.status]).toEqual(['', 0]);
    expect(done.stdout).toMatch(/step-1 +succeeded +robot\.maneuver/);
    expect(done.stdout).toMatch(/step-2 +succeeded/);
    const [newest] = (await daemon.api.get<{ plans: Told[] }>('/v1/plans')).plans;
    // Done again from the log alone: the same decisions, to the last byte.
    const replayed = await cli('run', 'replay', newest!.run_id, '--json');
    expect([replayed.status === 0 ? '' : replayed.stdout.slice(0, 3_000), replayed.status]).toEqual(['', 0]);
    const listed = await cli('plans');
    expect(listed.stdout).toMatch(/succeeded +2 +0 +look around/);
  }, 240_000);

  it('of somebody are refused where they cannot be carried out, and carried out where they can', async () => {
    const file = join(folder.path, 'own.json');
    const own = (...list: object[]) =>
      writeFileSync(
        file,
        JSON.stringify({ goal: 'mine', steps: list.map((step, at) => ({ step_id: `s${at}`, ...step })) }),
      );
    own({ ...drive(1), subgoal: 'robot.fly' });
    const refused = await cli('plan', '--file', file, '--wait', '--json');
    expect([refused.status, JSON.parse(refused.stdout).reason]).toEqual([
      1,
      expect.stringMatching(/robot.fly is not offered/),
    ]);
    own({
      subgoal: 'maze/find_exit',
      params: {},
      deadline_ms: 1_200_000,
      success: [{ fact: 'signals./maze/exit_reached', op: '==', value: true }],
      fallback: 'abort',
    });
    const mission = await cli('plan', '--file', file, '--wait', '--json');
    const told = JSON.parse(mission.stdout) as Told;
    expect([told.status, told.reason, told.steps[0]?.state]).toEqual([
      'succeeded',
      'every step is done',
      'succeeded',
    ]);
  }, 300_000);

  it('go on where they were when the runtime cell is killed: made once, every step done once', async () => {
    // Long for the robot; its time runs many times as fast as ours.
    steps = [wait(600_000), wait(1_000)];
    const asked = model.asked.length;
    const opened = await daemon.api.post<Told>('/v1/plans', { goal: 'wait for it' });
    await until(
      async () => (await events(opened.run_id))('plan.step_started').length > 0,
      'its first step is under way',
    );
    process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
    await until(async () => (await daemon.status()).cells.some(({ restarts }) => restarts > 0), 'it is back');
    const details = await until(() => finishedRun(daemon.api, opened.run_id), 'the plan is over', 120_000);
    expect([details.run.status, details.run.attempt]).toEqual(['succeeded', 2]);
    const of = await events(opened.run_id);
    expect(of('plan.made')).toHaveLength(1);
    expect(model.asked.length).toBe(asked + 1);
    const done = of('plan.step_ended').filter(({ payload }) => payload.outcome === 'succeeded');
    expect(done.map(({ payload }) => payload.step_id)).toEqual(['step-1', 'step-2']);
    const view = await daemon.api.get<Told>(`/v1/plans/${opened.run_id}`);
    expect(view.steps.map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
  }, 240_000);

  it('models that are deaf keep nobody waiting, and a run of no plan is none', async () => {
    model.sleeping = true;
    try {
      const late = await cli('plan', 'anything', '--dry-run', '--json', '--timeout', '1500');
      const { error } = JSON.parse(late.stdout) as { error: { code: string } };
      expect([late.status, error.code]).toEqual([
        1,
        expect.stringMatching(/^(deadline\.exceeded|model\.unavailable)$/),
      ]);
    } finally {
      model.sleeping = false;
    }
    await expect(daemon.api.get('/v1/plans/018bcfe5-6800-7000-8000-000000000001')).rejects.toMatchObject({
      code: 'run.not_found',
    });
    await expect(daemon.api.post('/v1/plans', { dry_run: true })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
  }, 60_000);
});
