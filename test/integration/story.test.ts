import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent, Approval, Submitted } from '../../contract/index.ts';
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
import { type ForeignStory, foreignStory, readersPython } from '../support/readers.ts';
import { notingCommands, type SimCommand, simCommands } from '../support/sim-commands.ts';

/**
 * What a run decided and did, in its recording and in the lake: read by two foreign readers, joined by id, and counted
 * against the commands that the simulator received by its own count.
 */
const directory = freshDir('story');
const commands = join(directory.path, 'commands');
const config = join(directory.path, 'robot.toml');
const POLICY = `@id("answers") permit (principal in Auraison::Role::"lead", action == Auraison::Action::"answer", resource);
@id("mazes") @approve("a person looks first") @timeout("10 min") @approvers("lead")
permit (principal in Auraison::Role::"operator", action == Auraison::Action::"intent", resource in Auraison::Group::"maze");
@id("rest") permit (principal, action in [Auraison::Action::"tool", Auraison::Action::"model"], resource);
`;
/** Recordings of the simulation begin on the first of January of this year. */
const DAY_NS = 86_400_000_000_000n;

let daemon: TestDaemon;
let model: FakeOpenAi;
let runId = '';
let events: AgentEvent[] = [];
let story: Record<'mcap' | 'rosbags', ForeignStory>;
let received: readonly SimCommand[] = [];
let rows: Record<string, unknown>[] = [];

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const { columns, rows: found } = await daemon.api.post<{
    columns: { name: string }[];
    rows: unknown[][];
  }>('/v1/query', { sql, limit: 50_000 });
  return found.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]])));
}

beforeAll(async () => {
  readersPython();
  model = await FakeOpenAi.start(
    say({ calls: [{ name: 'maze_explore_frontier', args: {} }], finish: 'tool_calls' }),
  );
  mkdirSync(join(directory.path, 'policies'));
  writeFileSync(join(directory.path, 'policies', 'site.cedar'), POLICY);
  writeFileSync(join(directory.path, 'lena.token'), 'token-of-lena', { mode: 0o600 });
  writeFileSync(
    config,
    `[apps]
turtlebot_maze = "pi"
[sim]
seed = 2
width = 3
height = 3
[policy]
dir = ${JSON.stringify(join(directory.path, 'policies'))}
[[policy.principals]]
name = "lena"
roles = ["lead"]
token_file = ${JSON.stringify(join(directory.path, 'lena.token'))}
[[models]]
name = "scripted"
url = "${model.url}"
model = "scripted"
context = 8192
`,
  );
  daemon = await testDaemon(directory.path, { AURAISON_CONFIG: config, ...notingCommands(commands) });
  const { api } = daemon;
  const { run } = await api.post<Submitted>('/v1/intents', { type: 'maze/find_exit', params: {} });
  runId = run.run_id;
  const [asked] = await until(async () => {
    const { approvals } = await api.get<{ approvals: Approval[] }>('/v1/approvals');
    return approvals.length > 0 && approvals;
  }, 'a question');
  await auraisonAsync(['approvals', 'allow', asked!.approval_id, '--data-dir', directory.path], {
    AURAISON_CONFIG: config,
    AURAISON_TOKEN: 'token-of-lena',
  });
  await until(async () => {
    const returned = await allEvents(api, '&kind=tool.returned');
    return returned.length >= 3;
  }, 'three calls of tools');
  await api.post(`/v1/runs/${runId}/cancel`, { reason: 'seen enough' });
  await finishedRun(api, runId);
  // A hand at the stick, so that its velocities are counted too.
  const lease = await api.post<{ lease_id: number }>('/v1/lease', { ttl_ms: 2_000 });
  for (let i = 0; i < 5; i++) {
    await api.post('/v1/teleop', { lease_id: lease.lease_id, twist: { linear: 0, angular: 0.4 } });
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  let before = -1;
  await until(async () => {
    const now = simCommands(commands).length;
    const isSame = now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 700));
    return isSame;
  }, 'the robot is sent nothing any more');
  let last: unknown;
  await until(
    async () => {
      // What came after a seal is in the lake with the next one: a busy host may be slow with the last zeros.
      received = simCommands(commands);
      await api.post('/v1/recorder/seal', {});
      await new Promise((resolve) => setTimeout(resolve, 500));
      [last] = await query(
        "select count(*)::int n, (select count(*)::int from step_segments) s, (select string_agg(distinct coalesce(fault, 'read')) from step_segments) f from actions",
      );
      return (last as { n: number }).n >= received.length;
    },
    'all actions are in the lake',
    60_000,
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${received.length} commands, ${JSON.stringify(last)}`);
  });
  rows = await query('select * from actions order by stamp, seq');
  events = await allEvents(api);
});

afterAll(async () => {
  await daemon?.stop();
  await model?.stop();
  directory.remove();
});

const ofRun = (kind: string) => events.filter((one) => one.run_id === runId && one.kind === kind);

describe('the recording of a run', () => {
  beforeAll(async () => {
    await daemon.stop();
    const bags = join(directory.path, 'bags');
    const [bag] = readdirSync(bags).filter((name) => !name.startsWith('.'));
    story = await foreignStory(join(bags, bag!));
  });

  it.each(['mcap', 'rosbags'] as const)('tells each decision once and in order to %s', (reader) => {
    const kinds = [
      ...['approval.requested', 'approval.answered', 'policy.decided', 'run.started', 'run.finished'],
      ...['tool.called', 'tool.returned', 'model.called', 'model.returned'],
    ];
    for (const kind of kinds) {
      const told = story[reader].events.filter((one) => one['run_id'] === runId && one['kind'] === kind);
      expect(told.map((one) => one['event_id'])).toEqual(ofRun(kind).map(({ event_id }) => event_id));
      expect(`${kind} ${told.length > 0}`).toBe(`${kind} true`);
    }
    const safety = story[reader].events.filter((one) => one['cell'] === 'execution');
    expect(safety.map((one) => one['kind'])).toContain('lease.granted');
  });

  it('joins with the tool calls of the lake by their ids', async () => {
    const told = story.mcap.events
      .filter((one) => one['kind'] === 'tool.called' && one['run_id'] === runId)
      .map((one) => (one['payload'] as { call_id: string }).call_id);
    expect(told).toEqual(ofRun('tool.called').map(({ payload }) => (payload as { call_id: string }).call_id));
    expect(new Set(told).size).toBe(told.length);
  });

  it('has one readable line per event, with its level, under the name of the run', () => {
    const lines = story.rosbags.log.filter(({ name }) => name === `auraison/run/${runId}`);
    expect(lines.map((line) => line.function)).toEqual(
      story.rosbags.events.filter((one) => one['run_id'] === runId).map((one) => one['event_id']),
    );
    expect(lines.map(({ msg }) => msg).join('\n')).toMatch(/approval: allow by lena/);
    expect(lines.find(({ msg }) => msg.startsWith('call maze.explore_frontier'))).toMatchObject({
      level: 20,
    });
  });

  it('is told in the time of the simulation, between its first and last sample', () => {
    const times = story.mcap.events.map(({ time }) => BigInt(time));
    const sorted = times.toSorted((a, b) => Number(a - b));
    const [first, last] = [sorted[0]!, sorted.at(-1)!];
    expect(last - first).toBeLessThan(DAY_NS);
    expect(new Date(Number(first / 1_000_000n)).getUTCFullYear()).toBe(2025);
  });
});

describe('the table actions', () => {
  it('has one row for each command that the simulator received', () => {
    const sent = rows.filter(({ kind }) => kind === 'twist');
    expect(sent.length).toBe(received.length);
    const values = ({ linear, angular }: { linear: number; angular: number }) => [linear, angular];
    expect(sent.map(({ action }) => action)).toEqual(received.map(values));
  });

  it('names run, motion, policy and chunk of what a policy drove, and the hand that steered', () => {
    const driven = rows.filter(({ chunk_id }) => Number(chunk_id) > 0);
    expect(driven.length).toBeGreaterThan(10);
    const calls = new Set(
      ofRun('tool.called').map(({ payload }) => (payload as { call_id: string }).call_id),
    );
    for (const row of driven) {
      expect(row).toMatchObject({ controller: 'drive', run_id: runId });
      expect(String(row['policy_hash'])).toMatch(/^[0-9a-f]{64}$/);
      expect((row['observation_ids'] as unknown[]).length).toBe(1);
    }
    expect(calls.size).toBeGreaterThan(0);
    const byHand = rows.filter(({ controller }) => controller === 'teleoperation');
    expect(byHand.length).toBeGreaterThan(0);
    expect(byHand.every(({ asked }) => (asked as number[])[1] === 0.4)).toBe(true);
  });
});
