import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { AgentEvent, RunDetails, RuntimeView, Submitted } from '../../contract/index.ts';
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
import { descendants } from '../support/processes.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

/** Runtimes written from the document alone, as processes of their own, drive the robot of a real daemon. */
let folder: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
let programs: ChildProcess[] = [];
beforeEach(() => {
  folder = freshDir('auraison-runtimes');
});
afterEach(async () => {
  for (const program of programs) program.kill('SIGKILL');
  programs = [];
  await daemon?.stop();
  daemon = undefined;
  folder.remove();
});

const at = (...path: string[]) => join(folder.path, ...path);

const CONFIG = `
[runtimes]
heartbeat = "1 s"
[[runtimes.accept]]
name = "workshop"
`;
const APP = `
name = "patrol"
version = "0.1.0"
description = "Drives there and back"
harness = "remote"
tools = ["robot.maneuver", "robot.state"]
deadline = "5 min"

[remote]
runtime = "workshop"
wait = "60 s"

[[intents]]
type = "patrol/drive"
description = "Drive there and back"
[intents.params.properties.metres]
type = "number"
minimum = 0.05
maximum = 1.0
default = 0.2
`;

async function start(config = CONFIG, app = APP): Promise<TestDaemon> {
  mkdirSync(at('apps', 'patrol'), { recursive: true });
  writeFileSync(at('apps', 'patrol', 'app.toml'), app);
  writeFileSync(at('robot.toml'), config);
  return testDaemon(at('data'), {
    ...notingCommands(at('commands')),
    AURAISON_APPS_DIRS: at('apps'),
    AURAISON_CONFIG: at('robot.toml'),
  });
}

async function token(): Promise<string> {
  const { stdout } = await auraisonAsync([
    ...['runtimes', 'token', 'workshop', '--config', at('robot.toml'), '--data-dir', at('data')],
  ]);
  return stdout.trim();
}

async function launch(command: string, file: string): Promise<ChildProcess> {
  const program = spawn(command, [join(ROOT, 'clients', file)], {
    env: {
      ...process.env,
      AURAISON_URL: (await urlOf()).replace('http:', 'ws:'),
      AURAISON_RUNTIME_TOKEN: await token(),
    },
    stdio: 'ignore',
  });
  programs.push(program);
  return program;
}

async function urlOf(): Promise<string> {
  const { readFileSync } = await import('node:fs');
  return (JSON.parse(readFileSync(at('data', 'run', 'api.json'), 'utf8')) as { url: string }).url;
}

const workshop = (view: (one: RuntimeView) => boolean, what: string) =>
  until(async () => {
    const { runtimes } = await daemon!.api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes');
    return view(runtimes[0]!) ? runtimes[0]! : undefined;
  }, what);

/** Orders of a robot that a busy host held up are dropped (command.expired): the run is asked for again. */
async function drive(metres: number): Promise<RunDetails> {
  for (let tries = 0; ; tries++) {
    const { run } = await daemon!.api.post<Submitted>('/v1/intents', {
      type: 'patrol/drive',
      params: { metres },
    });
    const done = await finishedRun(daemon!.api, run.run_id);
    if (done.run.status === 'succeeded' || tries === 3 || !done.reason.includes('expired')) return done;
  }
}

it.each([
  ['python3', 'python/patrol.py'],
  [process.execPath, 'typescript/patrol.ts'],
])('%s %s drives there and back through the one gate', async (command, file) => {
  daemon = await start();
  await launch(command, file);
  await workshop(({ state }) => state === 'connected', 'the runtime is connected');
  const done = await drive(0.2);
  expect(done).toMatchObject({ run: { status: 'succeeded', harness: 'remote' } });
  expect(done.reason).toContain('there and back, 0.2 m each');

  const events = (await allEvents(daemon.api)).filter(({ run_id }) => run_id === done.run.run_id);
  const called = events.filter((event): event is AgentEvent<'tool.called'> => event.kind === 'tool.called');
  expect(called.map(({ payload }) => payload.tool).slice(0, 3)).toEqual([
    ...['robot.maneuver', 'robot.maneuver', 'robot.maneuver'],
  ]);
  expect(events.filter((event) => event.kind === 'policy.decided').length).toBeGreaterThanOrEqual(3);
  expect(simCommands(at('commands')).filter(({ linear }) => linear !== 0).length).toBeGreaterThan(3);
  const { stdout } = await auraisonAsync([
    ...['runtimes', 'list', '--config', at('robot.toml'), '--data-dir', at('data')],
  ]);
  expect(stdout).toContain('workshop  connected');
});

it('a runtime that is killed in a motion, and a cell that is killed, do nothing twice', async () => {
  daemon = await start();
  const first = await launch('python3', 'python/patrol.py');
  await workshop(({ state }) => state === 'connected', 'the runtime is connected');
  const { run } = await daemon.api.post<Submitted>('/v1/intents', {
    type: 'patrol/drive',
    params: { metres: 1 },
  });
  const ofRun = async () => (await allEvents(daemon!.api)).filter(({ run_id }) => run_id === run.run_id);
  await until(async () => (await ofRun()).some(({ kind }) => kind === 'tool.called'), 'it drives');
  first.kill('SIGKILL');
  // Its motion is stopped although nobody asked for it.
  const stopped = await until(
    async () =>
      (await ofRun()).find((event): event is AgentEvent<'tool.returned'> => event.kind === 'tool.returned'),
    'the motion ends',
  );
  expect(stopped.payload.result).toMatchObject({ outcome: 'stopped' });
  await launch('python3', 'python/patrol.py');
  process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
  const done = await finishedRun(daemon.api, run.run_id);
  expect(['succeeded', 'failed']).toContain(done.run.status);
  // The new process did the same steps again under the same ids: none of them happened again.
  const origins = (await ofRun()).flatMap((event) =>
    event.kind === 'tool.called' ? [(event as AgentEvent<'tool.called'>).payload.origin_id] : [],
  );
  expect(origins.length).toBeGreaterThan(1);
  expect(new Set(origins).size).toBe(origins.length);
});

it('an agent of Pydantic AI, kept running by the daemon, drives by tools of its run beside its own', async () => {
  const python = execFileSync(join(ROOT, 'test', 'peers', 'pydantic.sh'), { encoding: 'utf8' }).trim();
  const bridge = join(ROOT, 'clients', 'python', 'auraison_pydantic_ai.py');
  const command = `command = ["${python}", "${bridge}", "pydantic_agents:guide"]\nfolder = "${join(ROOT, 'test', 'peers')}"`;
  const app = APP.replace('runtime = "workshop"', 'runtime = "workshop"\nagent = "guide"');
  mkdirSync(at('apps', 'patrol'), { recursive: true });
  writeFileSync(at('apps', 'patrol', 'AGENT.md'), 'Keep to the left.\n');
  daemon = await start(`${CONFIG}${command}\nsandbox = "none"\n`, app);
  const connected = await workshop(({ state }) => state === 'connected', 'the agent is connected');
  const done = await drive(0.2);
  expect(done).toMatchObject({
    run: { status: 'succeeded', harness: 'remote' },
    reason: 'it is dry; True; Keep to the left.',
  });
  const calls = (await allEvents(daemon.api)).filter(
    (event): event is AgentEvent<'tool.returned'> =>
      event.run_id === done.run.run_id && event.kind === 'tool.returned',
  );
  expect(calls.map(({ payload }) => payload.tool)).toEqual(Array(3).fill('robot.maneuver'));
  expect(calls[1]!.payload.error).toMatchObject({ code: 'schema.invalid' });
  expect(simCommands(at('commands')).filter(({ linear }) => linear !== 0).length).toBeGreaterThan(3);

  // It dies, and the daemon has it again.
  process.kill(
    descendants(daemon.child.pid).find(({ command: line }) => line.includes(bridge))!.pid,
    'SIGKILL',
  );
  await workshop(
    ({ state, session }) => state === 'connected' && session !== connected.session,
    'it is back',
  );
}, 180_000);

it('without [runtimes] nobody is listened for, and a wrong token opens nothing', async () => {
  daemon = await start();
  const url = await urlOf();
  const upgrade = (authorization: string) =>
    new Promise<number | undefined>((resolve, reject) => {
      void import('node:http').then(({ request }) => {
        const asked = request(`${url}/v1/runtime`, {
          headers: {
            ...{ connection: 'Upgrade', upgrade: 'websocket', authorization },
            ...{ 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' },
          },
        });
        asked.on('response', (response) => resolve(response.statusCode));
        asked.on('upgrade', (_, socket) => {
          socket.destroy();
          resolve(101);
        });
        asked.on('error', reject);
        asked.end();
      });
    });
  expect(await upgrade('Bearer nonsense')).toBe(401);
  const { readFileSync } = await import('node:fs');
  expect(await upgrade(`Bearer ${readFileSync(at('data', 'token'), 'utf8').trim()}`)).toBe(401);
  expect(await upgrade(`Bearer ${await token()}`)).toBe(101);
  const answer = await fetch(`${url}/v1/status`, { headers: { authorization: `Bearer ${await token()}` } });
  expect(answer.status).toBe(401);
});
