import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { McpServerView, RuntimeView, Submitted } from '../../contract/index.ts';
import {
  auraisonAsync,
  finishedRun,
  freshDir,
  ROOT,
  type TestDaemon,
  testDaemon,
  until,
} from '../support/daemon.ts';
import { sandboxPrograms } from '../support/sandbox.ts';
import { escapes } from '../support/sandbox-escapes.ts';
import { processesWith } from '../support/sandbox-rig.ts';
import { notingCommands, simCommands } from '../support/sim-commands.ts';

/** A hostile package, runtime and tool, each in a sandbox of a whole daemon: they do their work and harm nothing. */
let dir: ReturnType<typeof freshDir>;
let root: string;
let daemon: TestDaemon | undefined;
beforeEach(() => {
  dir = freshDir('sandbox-daemon');
  root = realpathSync(dir.path);
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  dir.remove();
});

const SUPPORT = join(ROOT, 'test', 'support');
const STAYS = '4721.5';

/** What came of the attempts of each: three files, three folders, an environment, a signal, a process, a service. */
type Got = Record<'own' | 'packed' | 'configured', readonly string[]>;

function write(path: string, text: string): string {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
  return join(root, path);
}

/** The application, its MCP server and the configuration; `sandbox`: of all three. */
function setUp(sandbox: string, ports: readonly number[]): { readonly env: Record<string, string> } {
  const data = join(root, 'data');
  mkdirSync(data);
  const secret = write('secret', 'of the house');
  const wanted = JSON.stringify({
    ...{ files: [secret, join(data, 'token'), '/etc/shadow'], folders: [data, ROOT, '/usr'] },
    ...{ ports, pid: process.pid, stays: STAYS },
  });
  const toml = (value: string) => JSON.stringify(value);
  for (const file of ['mcp-hostile-main.ts', 'sandbox-escapes.ts']) {
    mkdirSync(join(root, 'apps', 'patrol'), { recursive: true });
    copyFileSync(join(SUPPORT, file), join(root, 'apps', 'patrol', file));
  }
  write(
    'apps/patrol/app.toml',
    `name = "patrol"
version = "0.1.0"
description = "Wants out"
harness = "remote"
tools = ["robot.maneuver", "mcp.packed.go", "mcp.configured.go"]
[remote]
runtime = "workshop"
wait = "60 s"
[[intents]]
type = "patrol/drive"
description = "Drive"
[[mcp]]
name = "packed"
command = "node"
args = ["./mcp-hostile-main.ts", "breaks out", ${toml(wanted)}]
`,
  );
  const config = write(
    'robot.toml',
    `[apps]
dirs = [${toml(join(root, 'apps'))}]
sandbox = "${sandbox}"
[[runtimes.accept]]
name = "workshop"
command = ["node", ${toml(join(SUPPORT, 'hostile-runtime-main.ts'))}, ${toml(wanted)}]
sandbox = "${sandbox}"
[[mcp.servers]]
name = "configured"
command = ${toml(process.execPath)}
args = [${toml(join(SUPPORT, 'mcp-hostile-main.ts'))}, "breaks out", ${toml(wanted)}]
apps = ["patrol"]
sandbox = "${sandbox}"
[[sandboxes]]
name = "strangers"
read_only = [${toml(SUPPORT)}, ${toml(join(ROOT, 'clients', 'typescript'))}]
`,
  );
  return {
    env: {
      ...notingCommands(join(root, 'commands')),
      AURAISON_CONFIG: config,
      PATH: `${sandboxPrograms()}:${process.env['PATH']}`,
    },
  };
}

async function gotBy(env: Record<string, string>): Promise<Got> {
  daemon = await testDaemon(join(root, 'data'), env);
  const { api } = daemon;
  await until(async () => {
    const { runtimes } = await api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes');
    return runtimes[0]!.state === 'connected';
  }, 'the runtime that the daemon started is connected');
  await until(async () => {
    const { servers } = await api.get<{ servers: McpServerView[] }>('/v1/mcp/servers');
    return servers
      .find(({ server }) => server === 'configured')
      ?.tools.some(({ state }) => state === 'offered');
  }, 'the tool of the configuration is offered');
  // Orders of a robot that a busy host held up are dropped: the run is asked for again.
  for (let tries = 0; ; tries++) {
    const { run } = await api.post<Submitted>('/v1/intents', { type: 'patrol/drive', params: {} });
    const done = await finishedRun(api, run.run_id);
    if (done.run.status === 'succeeded') return JSON.parse(done.reason) as Got;
    if (tries === 3) throw new Error(`${done.run.status}: ${done.reason}\n${daemon.log().slice(-4_000)}`);
  }
}

it('in sandboxes, a hostile package, runtime and tool work and harm nothing; a runtime that is killed comes back', async () => {
  let dialled = 0;
  const service = createServer(() => dialled++).listen(0, '127.0.0.1');
  await until(() => service.listening, 'the service listens');
  const { port } = service.address() as { port: number };
  const { env } = setUp('strangers', [port]);
  // Without a sandbox the attempts come through: they are real ones.
  const free = await escapes({
    ...{ files: [join(root, 'secret')], folders: [join(root, 'data')], ports: [port], stays: '0' },
    pid: process.pid,
  });
  expect(Object.values(free).sort()).toEqual(['connected', 'read', 'read', 'sent', 'started', 'written']);
  rmSync(join(root, 'data', 'escaped'));
  const got = await gotBy(env);
  const refused = expect.stringMatching(/^(?:ENOENT|EACCES|EPERM|EROFS|ESRCH|ECONNREFUSED)$/);
  // Inside, the way to a package, or to a checkout below /tmp, lies in a private /tmp: what is written there is not on
  // this host.
  const inside = expect.stringMatching(/^(?:ENOENT|EACCES|EPERM|EROFS|written)$/);
  const all = [refused, refused, refused, inside, inside, refused, refused, refused, 'started', refused];
  expect(got).toEqual({ own: all, packed: all, configured: all });
  for (const folder of [join(root, 'data'), ROOT, '/usr'])
    expect(existsSync(join(folder, 'escaped')), folder).toBe(false);
  expect(dialled).toBe(1);
  expect(simCommands(join(root, 'commands')).some(({ linear }) => linear > 0)).toBe(true);

  const { api } = daemon!;
  const sleepers = processesWith(`sleep\0${STAYS}`);
  expect(sleepers).toHaveLength(3);
  const runtime = processesWith('hostile-runtime-main.ts').find((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(process.execPath),
  )!;
  process.kill(Number(runtime), 'SIGKILL');
  await until(() => processesWith(`sleep\0${STAYS}`).length === 2, 'what the runtime started ended with it');
  await until(async () => {
    const { runtimes } = await api.get<{ runtimes: RuntimeView[] }>('/v1/runtimes');
    return runtimes[0]!.state === 'connected' && processesWith('hostile-runtime-main.ts').length > 0;
  }, 'the runtime was started again');

  const doctor = await auraisonAsync(['doctor', '--json', '--data-dir', join(root, 'doctor')], env);
  const { checks } = JSON.parse(doctor.stdout) as {
    checks: { name: string; state: string; detail: string }[];
  };
  expect(checks.find(({ name }) => name === 'sandbox')).toMatchObject({
    state: 'ok',
    detail: expect.stringMatching(/^bubblewrap: works, limits by .*profile strangers: works/),
  });
  await daemon!.stop();
  daemon = undefined;
  await until(() => processesWith(STAYS).length === 0, 'nothing outlives the daemon');
  service.close();
});
