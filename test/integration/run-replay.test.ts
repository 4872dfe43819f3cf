import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReplayOutcome, RunDiff, Submitted, TraceSpan } from '../../contract/index.ts';
import { FakeOpenAi, type Script, say } from '../fakes/fake-openai.ts';
import { auraisonAsync, finishedRun, freshDir, type TestDaemon, testDaemon } from '../support/daemon.ts';

/** Runs of a whole daemon, done again from the command line and by the API, while it runs and after it. */
const EXIT = { identical: 0, differs: 3 };
const ALLOW = 'permit(principal, action, resource);\n';
const NO_DRIVING = `${ALLOW}@id("nobody-drives")
forbid(principal, action == Auraison::Action::"tool", resource == Auraison::Tool::"robot.navigate");
`;

const directory = freshDir('run-replay');
const dataDir = join(directory.path, 'data');
const config = join(directory.path, 'robot.toml');
let daemon: TestDaemon | undefined;
let recorded: FakeOpenAi;
let other: FakeOpenAi;
let flow: string;
let second: string;

/** Explores until the exit is reached, then ends; one call a turn. */
const explorer: Script = (asked, response, server) => {
  const there = JSON.stringify(asked.body['messages']).includes('run_finish with status succeeded');
  const args = { status: 'succeeded', reason: 'I am out' };
  const call = there ? { name: 'run_finish', args } : { name: 'maze_explore_frontier', args: {} };
  // What it thinks the first time is too long for an event: it is kept as a blob.
  const text = server.asked.length === 1 ? `${'x'.repeat(9_000)} `.repeat(7) : '';
  return say({ text, calls: [call] })(asked, response, server);
};
/** Thinks first, which the other one never did. */
const thinker: Script = say({ calls: [{ name: 'maze_list_frontiers', args: {} }] });

async function start(harness: 'flow' | 'pi'): Promise<TestDaemon> {
  const model = (name: string, { url }: FakeOpenAi) =>
    `[[models]]\nname = "${name}"\nurl = "${url}"\nmodel = "served/tiny"\ncontext = 100000\n`;
  writeFileSync(
    config,
    `[sim]\nwidth = 2\nheight = 2\nseed = 3\n[apps]\nturtlebot_maze = "${harness}"\n[recorder]\nenabled = false\n` +
      `[telemetry]\nfile = true\n${model('first', recorded)}${model('second', other)}`,
  );
  daemon = await testDaemon(dataDir, { AURAISON_CONFIG: config });
  return daemon;
}

async function mission(): Promise<string> {
  const { run } = await daemon!.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  await finishedRun(daemon!.api, run.run_id);
  return run.run_id;
}

async function cli<T>(args: readonly string[], status: number, env: Record<string, string> = {}): Promise<T> {
  const done = await auraisonAsync(['run', ...args, '--json'], {
    AURAISON_CONFIG: config,
    AURAISON_DAEMON_DATA_DIR: dataDir,
    ...env,
  });
  expect(`${done.status} ${done.stderr}`).toBe(`${status} `);
  return JSON.parse(done.stdout) as T;
}

const replay = (args: readonly string[], env?: Record<string, string>) =>
  cli<ReplayOutcome>(['replay', ...args], EXIT.identical, env);
const byApi = (run: string, body: object) =>
  daemon!.api.post<ReplayOutcome>(`/v1/runs/${run}/replay`, body, 120_000);

beforeAll(async () => {
  recorded = await FakeOpenAi.start(explorer);
  other = await FakeOpenAi.start(thinker);
  await start('flow');
  flow = await mission();
  second = await mission();
}, 180_000);
afterAll(async () => {
  await daemon?.stop();
  await recorded.stop();
  await other.stop();
  directory.remove();
}, 60_000);

it('does a mission again to the last byte while the daemon runs, from the start and from a phase', async () => {
  const whole = await replay([flow]);
  expect(whole).toMatchObject({ verdict: 'identical', attempts: 1, swapped: [] });
  expect(whole.replayed_sha256).toBe(whole.recorded_sha256);
  const part = await replay([flow, '--from', 'navigate']);
  expect(part.verdict).toBe('identical');
  expect(part.from).toBeGreaterThan(whole.from);
  expect(await byApi(flow, {})).toEqual(whole);
  expect(await byApi(flow, { from: 'navigate' })).toEqual(part);
}, 120_000);

it('shows what other policies would have made of it', async () => {
  const folder = join(directory.path, 'policies');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'strict.cedar'), NO_DRIVING);
  const byFolder = await replay([flow, '--policy', folder]);
  expect(byFolder).toMatchObject({ verdict: 'changed', swapped: ['policy'] });
  const { rows, first } = byFolder.diff!;
  expect(JSON.stringify(rows.slice(first))).toContain('nobody-drives');
  const byText = await byApi(flow, { policies: NO_DRIVING });
  expect(byText).toMatchObject({ verdict: 'changed', lines: byFolder.lines });
  expect(JSON.stringify(byText.diff!.rows.slice(first))).toContain('nobody-drives');
  await expect(byApi(flow, { policies: 'permit(' })).rejects.toMatchObject({ code: 'policy.invalid' });
}, 120_000);

it('puts two runs side by side', async () => {
  const diff = await cli<RunDiff>(['diff', flow, second], EXIT.differs);
  expect(diff.identical).toBe(false);
  expect(await daemon!.api.get(`/v1/runs/${flow}/diff/${second}`)).toEqual(diff);
  expect(await cli<RunDiff>(['diff', flow, flow], EXIT.identical)).toMatchObject({ identical: true });
  const text = await auraisonAsync(['run', 'diff', flow, second], { AURAISON_DAEMON_DATA_DIR: dataDir });
  for (const line of text.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
}, 120_000);

it('draws where its time went, down to what the robot did', async () => {
  const file = join(directory.path, 'trace.svg');
  await cli(['trace', flow, '--svg', file], EXIT.identical);
  expect(readFileSync(file, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
  const spans = await cli<TraceSpan[]>(['trace', flow], EXIT.identical);
  expect(await daemon!.api.get(`/v1/runs/${flow}/trace`)).toEqual({ spans });
  const tool = spans.find(({ kind }) => kind === 'tool')!;
  expect(spans.find(({ kind, parent_id }) => kind === 'motion' && parent_id === tool.span_id)).toBeDefined();
}, 120_000);

it('sends it to the same world again, when the daemon is gone, and the robot of the environment hears nothing', async () => {
  const metrics = await (await daemon!.api.stream('/metrics')).text();
  expect(metrics).toMatch(/auraison_telemetry_spans_exported_total\{exporter="file",cell="runtime"\} [1-9]/);
  await daemon!.stop();
  daemon = undefined;
  const before = readdirSync(tmpdir()).filter((name) => name.startsWith('auraison-replay-'));
  expect(await replay([flow])).toMatchObject({ verdict: 'identical' });
  // Another world in the configuration by now: that of the record is taken.
  const again = await replay([flow, '--sim'], {
    AURAISON_SIM_SEED: '9',
    AURAISON_SIM_WIDTH: '3',
    // Leads to another robot; whoever asked it would fail.
    AURAISON_URL: 'http://127.0.0.1:1',
    AURAISON_LINK_CENTRAL_URL: 'http://127.0.0.1:1',
  });
  expect(again.message).toContain('seed 3 of the record');
  expect(again).toMatchObject({ verdict: 'identical', swapped: ['sim'] });
  const after = readdirSync(tmpdir()).filter((name) => name.startsWith('auraison-replay-'));
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
}, 180_000);

it('does an agent again without its model, or with another one', async () => {
  await daemon?.stop();
  await start('pi');
  const agent = await mission();
  expect(recorded.asked.length).toBeGreaterThan(1);
  const asked = [recorded.asked.length, other.asked.length];
  expect(await replay([agent])).toMatchObject({ verdict: 'identical', swapped: [] });
  expect([recorded.asked.length, other.asked.length]).toEqual(asked);
  const changed = await replay([agent, '--model', 'second']);
  expect(changed).toMatchObject({ verdict: 'changed', swapped: ['model'] });
  expect(changed.diff!.classes).toHaveProperty('model answer');
  expect(changed.message).toContain('the record has no call of maze.list_frontiers');
  expect(recorded.asked.length).toBe(asked[0]);
  expect(other.asked.length).toBe(asked[1]! + 1);
  const { headers } = other.asked.at(-1)!;
  expect(headers['traceparent']).toMatch(new RegExp(`^00-${agent.replaceAll('-', '')}-[0-9a-f]{16}-01$`));
  const live = await byApi(agent, { model: 'second' });
  expect(live).toMatchObject({ verdict: 'changed', swapped: ['model'] });
  const unknown = await auraisonAsync(['run', 'replay', agent, '--model', 'third'], {
    AURAISON_CONFIG: config,
    AURAISON_DAEMON_DATA_DIR: dataDir,
  });
  expect(unknown.status).toBe(1);
  expect(unknown.stderr).toContain('first, second');

  // A quota, or a person, made room: the replay says what it had to do without.
  rmSync(join(dataDir, 'blobs'), { recursive: true });
  const without = await cli<ReplayOutcome>(['replay', agent], EXIT.differs);
  expect(without.verdict).toBe('diverged');
  expect(without.missing_blobs).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  const text = await auraisonAsync(['run', 'replay', agent], {
    AURAISON_CONFIG: config,
    AURAISON_DAEMON_DATA_DIR: dataDir,
  });
  expect(text.stdout).toContain(`without 1 blob that is gone (blobs.quota): ${without.missing_blobs![0]}`);
  // A replay that has told its verdict is over: no deadline of a call that it left behind keeps the process.
}, 80_000);
