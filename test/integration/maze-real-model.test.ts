import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent, RunDetails, Submitted } from '../../contract/index.ts';
import {
  allEvents,
  auraisonAsync,
  finishedRun,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { type ModelServer, startLlama } from '../support/model-servers.ts';

/** Tools of the maze that move the robot. */
const DRIVES = ['maze.explore_frontier', 'maze.go_to', 'maze.back_out'];
const BUMPS = 20;
/** Generous: the model has one thread of a machine that others share. */
const RUN_MS = 400_000;

type Of<K extends AgentEvent['kind']> = Extract<AgentEvent, { kind: K }>;

const folder = freshDir('auraison-maze-model');
let model: ModelServer;
let daemon: TestDaemon | undefined;

/** A very small real model leads the maze; on a machine of many its silence is no fault. */
async function start(name: string): Promise<TestDaemon> {
  const file = join(folder.path, `${name}.toml`);
  const patience =
    'silence = "30 s"\nprobe_timeout = "5 s"\nfirst_token = "3 min"\nstall = "1 min"\ntimeout = "5 min"';
  writeFileSync(
    file,
    `[apps]
turtlebot_maze = "pi"
dirs = ["${join(ROOT, 'docs', 'examples', 'apps', 'maze-runner')}"]
[sim]
seed = 2
width = 3
height = 3
[[models]]
name = "smollm2"
url = "${model.url}"
model = "smollm2"
context = 4096
${patience}
`,
  );
  daemon = await testDaemon(join(folder.path, name), { AURAISON_CONFIG: file });
  return daemon;
}

async function send({ api }: TestDaemon): Promise<string> {
  const params = { max_bumps: BUMPS };
  const { run } = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit', params });
  return run.run_id;
}

async function logOf({ api }: TestDaemon, runId: string) {
  const events = (await allEvents(api)).filter((event) => event.run_id === runId);
  return <K extends AgentEvent['kind']>(kind: K) => events.filter((e): e is Of<K> => e.kind === kind);
}

const cli = ({ dataDir }: TestDaemon, ...args: string[]) => auraisonAsync([...args, '--data-dir', dataDir]);

/** The tool that an answer called. */
function nameOf({ answer }: { readonly answer?: unknown }): string {
  return (answer as { tool_calls: { name: string }[] }).tool_calls[0]!.name;
}

/** What holds for every run of an agent, whoever brought it to its end. */
async function whole(it: TestDaemon, details: RunDetails) {
  const of = await logOf(it, details.run.run_id);
  expect(of('run.finished')).toHaveLength(1);
  // Nothing is left open: each question of a model and each call of a tool has its end in the log.
  const ids = (events: readonly { payload: { call_id: string } }[]) =>
    events.map(({ payload }) => payload.call_id).sort();
  expect(ids(of('model.returned'))).toEqual(ids(of('model.called')));
  expect(ids(of('tool.returned'))).toEqual(ids(of('tool.called')));
  return of;
}

beforeAll(async () => {
  model = await startLlama();
}, 300_000);
afterEach(() => daemon?.stop());
afterAll(async () => {
  await model?.stop();
  folder.remove();
});

describe('a real language model of 135 million parameters leads the robot through a maze', () => {
  it('finds the exit by choosing among tools: each choice valid, in order, and in the log', async () => {
    const us = await start('leads');
    const details = await finishedRun(us.api, await send(us), RUN_MS);
    const of = await whole(us, details);
    // The door sensor decides, not the words of the model.
    const { robot } = await us.status();
    expect(robot).toMatchObject({ available: true, signals: { '/maze/exit_reached': true } });
    expect(robot.available && robot.bumps).toBeLessThanOrEqual(BUMPS);
    const { status, reason, summary } = of('run.finished')[0]!.payload;
    expect(status).toBe('succeeded');
    expect(reason).not.toMatch(/degraded/);
    expect(summary).not.toHaveProperty('degraded');

    // Every answer was a call that fits: none was refused by the gate, none was asked for again.
    const answers = of('model.returned').map(({ payload }) => payload);
    for (const { ok, model: by, attempts, answer } of answers) {
      expect([ok, by, attempts ?? []]).toEqual([true, 'smollm2', []]);
      expect(answer?.tool_calls).toHaveLength(1);
    }
    expect(of('tool.returned').filter(({ payload }) => !payload.ok)).toEqual([]);
    const tools = of('tool.called').map(({ payload }) => payload.tool);
    expect(tools.at(-1)).toBe('run.finish');
    expect(tools.filter((tool) => DRIVES.includes(tool)).length).toBeGreaterThanOrEqual(3);
    // Its own choices: where it was offered several, and not the first of them each time.
    const offered = of('model.called').map(({ payload }) => payload.parameters['choices'] as string[]);
    const free = answers.filter((_, at) => offered[at]!.length > 1);
    expect(free.length).toBeGreaterThanOrEqual(4);
    const chosen = free.map(nameOf);
    expect(new Set(chosen).size).toBeGreaterThan(1);
    for (const [at, answer] of answers.entries()) expect(offered[at]).toContain(nameOf(answer));

    const shown = await cli(us, 'models');
    expect([shown.stderr, shown.status, shown.stdout]).toEqual([
      '',
      0,
      expect.stringMatching(/^smollm2 +up +smollm2 /m),
    ]);
    expect((await cli(us, 'status')).stdout).toMatch(/^models +smollm2 up$/m);
    const tested = await cli(us, 'models', 'test', 'smollm2', '--max-tokens', '4', '--timeout', '100000');
    expect([tested.stderr, tested.status, tested.stdout]).toEqual([
      '',
      0,
      expect.stringMatching(/tokens in \d+ ms/),
    ]);
  }, 500_000);

  it('finds it as an agent made of files alone too, by the tool and the hook of its extension', async () => {
    const us = await start('files');
    const { run } = await us.api.post<Submitted>('/v1/intents', {
      type: 'maze_runner/find_exit',
      params: {},
    });
    const details = await finishedRun(us.api, run.run_id, RUN_MS);
    const of = await whole(us, details);
    const { robot } = await us.status();
    expect(robot).toMatchObject({ available: true, signals: { '/maze/exit_reached': true } });
    expect(of('run.finished')[0]!.payload).toMatchObject({ status: 'succeeded' });
    expect(details).toMatchObject({ app: 'maze-runner', run: { harness: 'pi' } });
    const tools = of('tool.called').map(({ payload }) => payload.tool);
    expect(tools.filter((tool) => tool === 'ext.explore').length).toBeGreaterThan(1);
    expect(tools.at(-1)).toBe('run.finish');
    // It has no flow that would carry on for it.
    expect(of('run.phase').filter(({ payload }) => payload.phase === 'degraded')).toEqual([]);
  }, 500_000);

  it('whose server is killed in mid-mission: the flow carries the same run on, and says so', async () => {
    const us = await start('killed');
    const runId = await send(us);
    await until(async () => (await logOf(us, runId))('model.called').length >= 2, 'the model leads', RUN_MS);
    model.signal('SIGKILL');
    const details = await finishedRun(us.api, runId, RUN_MS);
    const of = await whole(us, details);
    const { status, reason, summary } = of('run.finished')[0]!.payload;
    expect([status, reason, summary['degraded'], summary['reached']]).toEqual([
      'succeeded',
      'degraded, without a model: the exit is reached',
      true,
      true,
    ]);
    const degraded = of('run.phase').find(({ payload }) => payload.phase === 'degraded');
    expect(degraded?.payload.reason).toMatch(/^no model answers \(model\.\w+: .*smollm2/);
    const shown = await cli(us, 'models');
    expect([shown.stderr, shown.status, shown.stdout]).toEqual([
      '',
      1,
      expect.stringMatching(/^smollm2 +down /m),
    ]);
    expect((await cli(us, 'status')).stdout).toMatch(/^models +smollm2 down \(/m);
    const states = (await allEvents(us.api)).filter((e): e is Of<'model.state'> => e.kind === 'model.state');
    expect(states.map(({ payload }) => `${payload.model} ${payload.state}`)).toEqual(
      expect.arrayContaining(['smollm2 down', '* none_left']),
    );
  }, 500_000);
});
