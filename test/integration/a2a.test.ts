import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RuntimeView } from '../../contract/index.ts';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { writeAcpApp } from '../support/acp-bridge.ts';
import { finishedRun, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { moves } from '../support/forbidden-robot.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';
import { freePort } from '../support/zenoh.ts';

/**
 * The official Python library of A2A on both sides: its client asks the robot, whose application is a remote agent on its
 * server, which drives the simulated robot by the tools of its run. The daemon starts the bridge to that agent itself.
 */
const run = promisify(execFile);
const folder = freshDir('auraison-a2a');
const at = (...path: string[]) => join(folder.path, ...path);
const peer = join(ROOT, 'test/peers/a2a_peer.py');
let python: string;
let agent: ChildProcess;
let daemon: TestDaemon;

/** An agent that drives so far; settles when it listens. */
async function startAgent(port: number): Promise<ChildProcess> {
  const child = spawn(python, [peer, 'serve', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  await new Promise<void>((resolve, reject) => {
    lines.once('line', () => resolve());
    child.once('exit', (code) => reject(new Error(`the agent ended: ${code}`)));
  });
  return child;
}

async function asked(...args: string[]) {
  const { url, token } = endpointOf(daemon.settings, '/');
  const [verb, ...rest] = args as [string, ...string[]];
  const env = { ...process.env, A2A_TOKEN: token ?? '' };
  const { stdout } = await run(python, [peer, verb, url.origin, ...rest], { env, timeout: 280_000 });
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { state: string; task?: string; text?: string; skills?: string[] });
}

beforeAll(async () => {
  const made = spawnSync('bash', [join(ROOT, 'test/peers/a2a.sh')], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(made.stderr);
  python = made.stdout.trim();
  const port = await freePort();
  agent = await startAgent(port);
  writeAcpApp(at('apps'), 'errands', 'errands/errand');
  writeFileSync(
    at('robot.toml'),
    `[a2a]
serve = true
[runtimes]
heartbeat = "1 s"
[[runtimes.accept]]
name = "errands"
a2a = "http://127.0.0.1:${port}"
`,
  );
  daemon = await testDaemon(at('data'), {
    ...notingCommands(at('commands')),
    AURAISON_APPS_DIRS: at('apps'),
    AURAISON_CONFIG: at('robot.toml'),
  });
}, 300_000);
afterAll(async () => {
  await daemon?.stop();
  agent?.kill('SIGKILL');
  folder.remove();
});

describe('the Python library of A2A', () => {
  it('asks the robot, whose agent on the same library drives it', async () => {
    const lines = await asked('send', 'errands/errand', '{}');
    const { state, task, text, skills } = lines.at(-1)!;
    expect([state, text]).toEqual(['TASK_STATE_COMPLETED', expect.stringContaining('driven')]);
    expect(skills).toEqual(expect.arrayContaining(['errands/errand', 'maze/find_exit']));
    const { run: found, intent } = await finishedRun(daemon.api, task!);
    expect([found.status, intent.policy_ctx.origin]).toEqual(['succeeded', 'a2a']);
    expect(simCommands(at('commands')).some(moves)).toBe(true);
    const [view] = (await daemon.api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes')).runtimes;
    expect(view).toMatchObject({ state: 'connected', program: { state: 'running', starts: 1, why: '' } });
  }, 300_000);

  it('cancels a task: the run ends and the robot stands', async () => {
    const { state, task } = (await asked('cancel', 'maze/find_exit')).at(-1)!;
    expect(state).toBe('TASK_STATE_CANCELED');
    expect((await finishedRun(daemon.api, task!)).run.status).toBe('cancelled');
    await until(() => !simCommands(at('commands')).slice(-1).some(moves), 'it stands');
  }, 300_000);

  it('finds the bridge again after it was killed', async () => {
    const view = async () => (await daemon.api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes')).runtimes[0]!;
    process.kill((await view()).program!.pid!, 'SIGKILL');
    await until(async () => {
      const { state, program } = await view();
      return state === 'connected' && program?.starts === 2 && program.why === 'ended: SIGKILL';
    }, 'it is started again and connected');
  }, 120_000);
});
