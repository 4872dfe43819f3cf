import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AgentEvent, RunDetails, Submitted } from '../../contract/index.ts';
import { FakeOpenAi, type Say, say } from '../fakes/fake-openai.ts';
import { AcpBridge, OPENCODE, opencodeEnv, writeAcpApp } from '../support/acp-bridge.ts';
import {
  allEvents,
  finishedRun,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { moves } from '../support/forbidden-robot.ts';
import { descendants, isAlive } from '../support/processes.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

/** A stock agent of the Agent Client Protocol, opencode, drives the simulated robot; a hostile one harms nothing. */
const folder = freshDir('auraison-acp');
const at = (...path: string[]) => join(folder.path, ...path);
let daemon: TestDaemon;
let model: FakeOpenAi;
const bridges: AcpBridge[] = [];
/** What the model wants: the metres to drive. */
let metres = 0.3;

/** A model that drives once, ends the run, and says so. */
function chosen(body: Record<string, unknown>): Say {
  const tools = (body['tools'] ?? []) as { function: { name: string } }[];
  const named = (part: string) => tools.find(({ function: { name } }) => name.endsWith(part))?.function.name;
  const drive = named('robot_maneuver');
  if (drive === undefined) return { text: 'An errand' };
  const answers = (body['messages'] as { role: string }[]).filter(({ role }) => role === 'tool').length;
  if (answers === 0) return { calls: [{ name: drive, args: { kind: 'drive', distance_m: metres } }] };
  const args = { status: 'succeeded', reason: 'driven' };
  return answers === 1 ? { calls: [{ name: named('run_finish')!, args }] } : { text: 'Done.' };
}

beforeAll(async () => {
  for (const name of ['coder', 'hostile']) writeAcpApp(at('apps'), name, `${name}/errand`);
  const accept = ['coder', 'hostile'].map((name) => `[[runtimes.accept]]\nname = "${name}"\n`);
  writeFileSync(at('robot.toml'), ['[runtimes]\nheartbeat = "1 s"\n', ...accept].join(''));
  model = await FakeOpenAi.start((asked, response, server) =>
    say(chosen(asked.body))(asked, response, server),
  );
  daemon = await testDaemon(at('data'), {
    ...notingCommands(at('commands')),
    AURAISON_APPS_DIRS: at('apps'),
    AURAISON_CONFIG: at('robot.toml'),
  });
});
afterAll(async () => {
  for (const bridge of bridges) await bridge.stop();
  await daemon?.stop();
  await model?.stop();
  folder.remove();
});

async function bridge(name: string, env: string[], command: string[]): Promise<AcpBridge> {
  const made = new AcpBridge(daemon, name, at(name), at('robot.toml'), env, command);
  bridges.push(made);
  await made.connected(daemon, name);
  return made;
}

const errand = async (name: string) =>
  (await daemon.api.post<Submitted>('/v1/intents', { type: `${name}/errand` })).run.run_id;
const ofRun = async (runId: string) => (await allEvents(daemon.api)).filter(({ run_id }) => run_id === runId);
const driving = () => simCommands(at('commands')).some(moves);
const stands = () => until(() => !moves(simCommands(at('commands')).at(-1)!), 'the robot stands');
const agentsOf = ({ child }: AcpBridge) =>
  descendants(child.pid!).filter(({ command }) => command.includes('acp'));

/** Orders that a busy host held up are dropped (command.expired): the errand is asked for again. */
async function done(name: string): Promise<RunDetails> {
  for (let tries = 0; ; tries++) {
    const found = await finishedRun(daemon.api, await errand(name));
    if (found.run.status === 'succeeded' || tries === 3 || !found.reason.includes('expired')) return found;
  }
}

describe.runIf(OPENCODE !== '')('opencode', () => {
  let coder: AcpBridge;
  beforeAll(async () => {
    coder = await bridge('coder', opencodeEnv(at('coder'), model.url), [OPENCODE, 'acp', '--pure']);
  });

  it('drives the robot through the gate of its run, and its process ends with the run', async () => {
    const found = await done('coder');
    expect([found.reason, found.run.status, found.run.harness, coder.said]).toMatchObject([
      'driven',
      'succeeded',
      'remote',
      {},
    ]);
    const events = await ofRun(found.run.run_id);
    const called = events.filter((event): event is AgentEvent<'tool.called'> => event.kind === 'tool.called');
    expect(called.map(({ payload }) => [payload.tool, payload.args])).toEqual([
      ['robot.maneuver', { kind: 'drive', distance_m: 0.3 }],
    ]);
    expect(events.some(({ kind }) => kind === 'policy.decided')).toBe(true);
    expect(driving()).toBe(true);
    await until(() => agentsOf(coder).length === 0, 'its process is gone');
  });

  it('that is killed in a motion: the robot stands, and the run has its cause', async () => {
    metres = 5;
    const runId = await errand('coder');
    const before = simCommands(at('commands')).length;
    await until(() => simCommands(at('commands')).slice(before).some(moves), 'it drives');
    process.kill(agentsOf(coder)[0]!.pid, 'SIGKILL');
    const found = await finishedRun(daemon.api, runId);
    expect(found).toMatchObject({
      run: { status: 'failed' },
      reason: expect.stringContaining('it ended: SIGKILL'),
    });
    await stands();
  });

  it('is stopped in a motion by a person: the robot first', async () => {
    metres = 5;
    const runId = await errand('coder');
    const before = simCommands(at('commands')).length;
    // Its program starts anew for each run: half a minute on a busy host.
    const drives = () => simCommands(at('commands')).slice(before).some(moves);
    await until(drives, 'it drives', 180_000);
    await daemon.api.post(`/v1/runs/${runId}/cancel`, { reason: 'enough' });
    expect(await finishedRun(daemon.api, runId)).toMatchObject({
      run: { status: 'cancelled' },
      reason: 'enough',
    });
    await stands();
    await until(() => agentsOf(coder).length === 0, 'its process is gone');
  });

  it('goes with its bridge, however that ends', async () => {
    const runId = await errand('coder');
    const pid = (await until(() => agentsOf(coder)[0], 'it runs')).pid;
    coder.child.kill('SIGKILL');
    await until(() => !isAlive(pid), 'the agent is gone');
    await daemon.api.post(`/v1/runs/${runId}/cancel`, { reason: 'no bridge' });
    await finishedRun(daemon.api, runId);
  });
});

describe('a hostile agent', () => {
  const main = join(ROOT, 'test/support/acp-hostile-main.ts');

  it('gets nothing but the tools of its run', async () => {
    const made = await bridge('hostile', [], [process.execPath, main, 'tools']);
    const found = await finishedRun(daemon.api, await errand('hostile'));
    const { giant, ...tried } = JSON.parse(found.reason) as Record<string, number>;
    expect(tried).toEqual({ noToken: 401, wrongToken: 401, page: 403, elsewhere: 404, notJson: 400 });
    // A body that is too large may break its connection before the answer is read.
    expect([400, 0]).toContain(giant);
    expect(await made.stop()).toBe(0);
  });

  it('that floods ends its run, and the daemon and its bridge go on', async () => {
    const made = await bridge('hostile', [], [process.execPath, main, 'flood']);
    for (let n = 0; n < 2; n++) {
      const found = await finishedRun(daemon.api, await errand('hostile'));
      expect(found).toMatchObject({
        run: { status: 'failed' },
        reason: expect.stringContaining('too much within a second'),
      });
    }
    expect((await daemon.status()).cells.every(({ state }) => state === 'up')).toBe(true);
    expect(await made.stop()).toBe(0);
  });
});
