import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { folderDigest } from '../../adapters/vllm/engine/engine-revision.ts';
import type { AgentEvent } from '../../contract/index.ts';
import { allEvents, auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { descendants, isAlive } from '../support/processes.ts';

/** A CPU starts it in half a minute; on a machine of many this takes longer. */
const UP_MS = 420_000;
const PEERS = join(import.meta.dirname, '..', 'peers');

type Engine = {
  state: string;
  reason: string;
  pid?: number;
  restarts: number;
  revision: string;
  log: string[];
};

const folder = freshDir('auraison-engine');
const port = 19_000 + (process.pid % 900);
let model = '';
let daemon: TestDaemon;

function config(revision: string): string {
  const environment = execFileSync('bash', [join(PEERS, 'vllm.sh')], { encoding: 'utf8' }).trim();
  const variables = readFileSync(environment, 'utf8')
    .split(/\s+/)
    .flatMap((word) => (/^[A-Z_]+=/.test(word) ? [word.replaceAll('"', '')] : []));
  const of = (name: string) => variables.find((one) => one.startsWith(`${name}=`))!.slice(name.length + 1);
  model = of('VLLM_MODEL');
  const args = [
    ...['-m', 'vllm.entrypoints.openai.api_server', '--model', '{model}', '--served-model-name', '{name}'],
    ...['--load-format', 'dummy', '--dtype', 'float32', '--seed', '1', '--max-model-len', '4096'],
    ...['--max-num-seqs', '4', '--enforce-eager', '--distributed-executor-backend', 'uni'],
    ...['--structured-outputs-config', '{"backend":"xgrammar","disable_any_whitespace":true}'],
    ...['--host', '127.0.0.1', '--port', '{port}'],
  ];
  return `[runs]
runs_max = 4
[robot]
source = "sim"
[sim]
width = 3
height = 3
[planning]
subgoals = ["robot.navigate", "robot.maneuver"]
steps_max = 3
timeout = "4 min"
max_tokens = 3000
[engine]
model_name = "local"
command = ${JSON.stringify([of('VLLM_PYTHON'), ...args])}
model = ${JSON.stringify(model)}
revision = ${JSON.stringify(revision)}
port = ${port}
env = ${JSON.stringify(variables)}
start_timeout = "7 min"
stop_timeout = "3 s"
[[models]]
name = "local"
url = "http://127.0.0.1:${port}/v1"
model = "tiny"
context = 4096
silence = "1 min"
probe_timeout = "30 s"
first_token = "4 min"
stall = "2 min"
timeout = "4 min"
hang = "2 min"
`;
}

const engine = () => daemon.api.get<Engine>('/v1/engine');
const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', daemon.dataDir]);
async function states(): Promise<string[]> {
  const events = await allEvents(daemon.api);
  return events
    .filter((event): event is Extract<AgentEvent, { kind: 'engine.state' }> => event.kind === 'engine.state')
    .map(({ payload }) => payload.state);
}
const ready = (restarts: number) =>
  until(
    async () => {
      const view = await engine();
      if (view.state === 'failed') throw new Error(`${view.reason}\n${view.log.join('\n')}`);
      return view.state === 'ready' && view.restarts >= restarts ? view : undefined;
    },
    'the engine is ready',
    UP_MS,
  );
beforeAll(async () => {
  const file = join(folder.path, 'engine.toml');
  writeFileSync(file, config(''));
  writeFileSync(file, config(await folderDigest(model)));
  daemon = await testDaemon(join(folder.path, 'data'), { AURAISON_CONFIG: file });
}, 600_000);
afterAll(async () => {
  await daemon?.stop();
  folder.remove();
});

describe('a real vLLM that the daemon runs', () => {
  it('is started by its pin, serves, plans under its grammar, sleeps or says that it cannot, is started again, and leaves nobody behind', async () => {
    // Nobody waits for it: the daemon is up, and says how it stands.
    expect(['starting', 'waiting', 'ready']).toContain((await engine()).state);
    const first = await ready(0);
    expect(first.revision).toMatch(/^sha256:/);
    expect(first.log.length).toBeGreaterThan(0);
    expect((await cli('engine')).stdout).toMatch(/^tiny ready/);

    // A plan of random weights: its shape is enforced, so that it can be checked; whether it can be carried out is luck.
    const made = await cli('plan', 'drive somewhere', '--dry-run', '--json', '--timeout', '240000');
    const told = JSON.parse(made.stdout) as {
      plan?: { steps: { subgoal: string }[] };
      error?: { code: string; message: string };
    };
    if (told.plan)
      for (const { subgoal } of told.plan.steps) expect(subgoal).toMatch(/^robot\.(navigate|maneuver)$/);
    else expect([told.error?.code, told.error?.message]).toEqual(['model.failed', expect.any(String)]);
    // Its figures come with the next look at its health.
    const metrics = await until(
      async () => {
        const text = await (await daemon.api.stream('/metrics')).text();
        return /model_cache_usage\{model="local"\}/.test(text) && text;
      },
      'the figures of the engine',
      60_000,
    );
    expect(metrics).toMatch(/engine_ready\{model="tiny",state="ready"\} 1/);

    // This build of vLLM may have no sleep: it says so, typed, and serves on. Where it sleeps a call wakes it.
    const slept = await cli('engine', 'sleep', '--json');
    const answer = JSON.parse(slept.stdout) as { state?: string; error?: { code: string } };
    if (slept.status === 0) expect(answer.state).toMatch(/sleeping|ready/);
    else expect(answer.error?.code).toBe('model.unavailable');
    const spoken = await cli('models', 'test', 'local', '--max-tokens', '4', '--timeout', '100000');
    expect([spoken.stderr, spoken.status]).toEqual(['', 0]);
    expect((await engine()).state).toBe('ready');

    // Its front is killed: all of it goes, and it is started again. The cell lives on.
    const cell = await daemon.pidOf('runtime');
    const before = descendants(cell).filter(({ command }) => /vllm/i.test(command));
    process.kill(first.pid!, 'SIGKILL');
    const again = await ready(1);
    expect(again.pid).not.toBe(first.pid);
    expect(await daemon.pidOf('runtime')).toBe(cell);
    await until(() => before.every(({ pid }) => !isAlive(pid)), 'the old processes are gone', 60_000);
    expect(await states()).toEqual(expect.arrayContaining(['starting', 'ready']));

    // The cell is killed: nobody is left who holds memory for nobody.
    const last = descendants(cell).filter(({ command }) => /vllm/i.test(command));
    expect(last.length).toBeGreaterThan(0);
    process.kill(cell, 'SIGKILL');
    await until(() => last.every(({ pid }) => !isAlive(pid)), 'no engine is left behind', 60_000);
  }, 900_000);

  it('of another model than was pinned is refused, with both names', async () => {
    await daemon.stop();
    const file = join(folder.path, 'wrong.toml');
    writeFileSync(file, config(`sha256:${'0'.repeat(64)}`));
    daemon = await testDaemon(join(folder.path, 'wrong'), { AURAISON_CONFIG: file });
    const view = await until(
      async () => {
        const one = await engine();
        return one.state === 'failed' ? one : undefined;
      },
      'it is refused',
      60_000,
    );
    expect(view.reason).toMatch(
      /another one than was pinned: engine.revision is sha256:000.*its files are sha256:/,
    );
    expect((await cli('engine')).status).toBe(1);
    const spoken = await cli('models', 'test', 'local');
    expect(spoken.stderr).toMatch(/the engine failed: the model is another one/);
  }, 200_000);
});
