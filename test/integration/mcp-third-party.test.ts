import { execFile, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { McpServerView } from '../../contract/index.ts';
import { AURAISON, freshDir, ROOT, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { conformanceOffer } from '../support/mcp-conformance-offer.ts';
import { type McpServerRig, startMcpRig } from '../support/mcp-daemon-ports.ts';
import { alive, McpRig, serverConfig } from '../support/mcp-rig.ts';

const run = promisify(execFile);
const paths = Object.fromEntries(
  spawnSync('bash', [join(ROOT, 'test/peers/mcp.sh'), 'paths'], { encoding: 'utf8' })
    .stdout.trim()
    .split('\n')
    .map((line) => line.split('=') as [string, string]),
);
const CONFORMANCE = join(ROOT, 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
const MODELS = join(ROOT, 'test/peers/mcp_models.py');
const PATH = process.env['PATH'] ?? '';

/** Scenarios of the suite that ask for what this robot does not offer to MCP clients, and why. */
const NOT_OFFERED_BY_SERVER: Record<string, string> = {
  'logging-set-level': 'the log of the robot is read as events, not sent to MCP clients; deprecated in 2026',
  'tools-call-with-logging': 'the same',
  'completion-complete': 'no tool of the robot has arguments to complete',
  'tools-call-audio': 'the robot hears nothing',
  'tools-call-embedded-resource': 'results are structured content; resources are read as resources',
  'tools-call-mixed-content': 'the same',
  'tools-call-sampling': 'the robot never asks its client for a model: it has its own',
  'tools-call-elicitation': 'people are asked by approvals, which the client cannot answer for them',
  'elicitation-sep1034-defaults': 'the same',
  'elicitation-sep1330-enums': 'the same',
  'resources-subscribe': 'changes are followed by the event stream of the API',
  'resources-unsubscribe': 'the same',
  'prompts-list': 'the robot has skills for its own agents and no prompts for foreign ones',
  'prompts-get-simple': 'the same',
  'prompts-get-with-args': 'the same',
  'prompts-get-embedded-resource': 'the same',
  'prompts-get-with-image': 'the same',
};

const CLIENT_SCENARIOS = [
  'initialize',
  'tools_call',
  'elicitation-sep1034-client-defaults',
  'sse-retry',
  'auth/pre-registration',
  'auth/client-credentials-basic',
];
const BROWSER = 'a person logs in with a browser: a robot has none, it has a token or client credentials';
/** Scenarios that our client cannot pass, and why. */
const NOT_OFFERED_BY_CLIENT: Record<string, string> = {
  ...Object.fromEntries(
    [
      'metadata-default',
      'metadata-var1',
      'metadata-var2',
      'metadata-var3',
      'basic-cimd',
      'scope-from-www-authenticate',
      'scope-from-scopes-supported',
      'scope-omitted-when-undefined',
      'scope-step-up',
      'scope-retry-limit',
      'token-endpoint-auth-basic',
      'token-endpoint-auth-post',
      'token-endpoint-auth-none',
      '2025-03-26-oauth-metadata-backcompat',
      '2025-03-26-oauth-endpoint-fallback',
      'resource-mismatch',
      'offline-access-scope',
      'offline-access-not-supported',
    ].map((name) => [`auth/${name}`, BROWSER]),
  ),
  'auth/client-credentials-jwt': 'a signing key instead of a secret is not configurable yet',
  'auth/cross-app-access-complete-flow': 'needs the identity provider of an enterprise and a person',
};

/** Everything that the suite says; it says its verdict by turns on one output or the other. */
async function conformance(args: readonly string[], cwd: string): Promise<string> {
  const options = { cwd, env: { ...process.env, PATH }, maxBuffer: 1 << 26, timeout: 120_000 };
  const { stdout, stderr } = await run(process.execPath, [CONFORMANCE, ...args], options).catch(
    (error: { stdout?: string; stderr?: string }) => ({
      stdout: error.stdout ?? '',
      stderr: error.stderr ?? '',
    }),
  );
  return `${stdout}\n${stderr}`;
}

describe('the conformance suite of MCP', () => {
  let dir: ReturnType<typeof freshDir>;
  let rig: McpServerRig;
  beforeAll(async () => {
    dir = freshDir('mcp-conformance');
    rig = await startMcpRig({ open: true, offer: conformanceOffer });
  });
  afterAll(async () => {
    await rig.close();
    dir.remove();
  });

  it('passes our server, but for what it does not offer', async () => {
    const out = await conformance(['server', '--url', `${rig.url}/mcp`, '--suite', 'all'], dir.path);
    const verdicts = [...out.matchAll(/^([✓✗]) ([\w-]+):/gmu)].map(
      ([, mark, name]) => [name!, mark!] as const,
    );
    expect(verdicts.length, out.slice(-2_000)).toBeGreaterThan(30);
    const failed = verdicts.filter(([, mark]) => mark === '✗').map(([name]) => name);
    expect(failed.sort()).toEqual(Object.keys(NOT_OFFERED_BY_SERVER).sort());
  });

  for (const scenario of CLIENT_SCENARIOS) {
    it(`passes our client: ${scenario}`, async () => {
      const main = join(ROOT, 'test/support/mcp-conformance-client-main.ts');
      const command = `${process.execPath} ${main}`;
      const out = await conformance(
        ['client', '--command', command, '--scenario', scenario, '--timeout', '90000'],
        dir.path,
      );
      expect(out).toMatch(/Passed: (\d+)\/\1, 0 failed/);
    });
  }

  it('has no scenario that we forgot', async () => {
    const out = await conformance(['list'], dir.path);
    const client = out.slice(out.indexOf('Client scenarios'));
    const names = [...client.matchAll(/^ {2}- (\S+)/gm)].map(([, name]) => name!);
    expect(names.sort()).toEqual([...CLIENT_SCENARIOS, ...Object.keys(NOT_OFFERED_BY_CLIENT)].sort());
  });
});

describe('servers of others', () => {
  let dir: ReturnType<typeof freshDir>;
  let rig: McpRig;
  beforeAll(async () => {
    dir = freshDir('mcp-servers');
    writeFileSync(join(dir.path, 'note.txt'), 'the charger is behind the door');
    const stdio = (server: string, ...args: string[]) => ({
      command: {
        file: process.execPath,
        args: [join(paths['servers']!, server, 'dist/index.js'), ...args],
        env: { PATH },
      },
    });
    rig = new McpRig(dir.path, [
      serverConfig('everything', { ...stdio('server-everything'), deadlineMs: 30_000 }),
      serverConfig('files', {
        ...stdio('server-filesystem', dir.path),
        allow: ['read_*', 'write_file', 'list_*'],
        deny: ['*_media_*'],
      }),
      serverConfig('models', { command: { file: paths['python']!, args: [MODELS], env: { PATH } } }),
    ]);
    for (const server of ['everything', 'files', 'models']) await rig.servers.refresh(server);
  });
  afterAll(async () => {
    await rig.stop();
    dir.remove();
  });

  it('the reference server: its tools, a picture, structured content checked against its schema', async () => {
    expect(Object.values(rig.states('everything'))).not.toContain('refused');
    expect((await rig.call('mcp.everything.echo', { message: 'hello' })).result['text']).toBe('Echo: hello');
    expect((await rig.call('mcp.everything.get-sum', { a: 2, b: 40 })).result['text']).toContain('42');
    const picture = await rig.call('mcp.everything.get-tiny-image');
    expect(picture.images?.[0]?.mime).toBe('image/png');
    const weather = await rig.call('mcp.everything.get-structured-content', { location: 'Chicago' });
    expect(weather.result['structured']).toMatchObject({ temperature: expect.any(Number) });
    await expect(rig.call('mcp.everything.get-sum', { a: '2', b: 40 })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
  });

  it('a Python server whose arguments are pydantic models: references are followed, one to itself refused', async () => {
    expect(rig.states('models')).toEqual({ drive: 'offered', feed: 'offered', climb: 'refused' });
    const { reason } = rig.view('models').tools.find(({ tool }) => tool === 'climb')!;
    expect(reason).toMatch(/^its schema is not taken: \/properties\/tree\/.*\$ref: .* refers to itself$/);
    expect(JSON.stringify(rig.tool('mcp.models.drive').spec.input)).not.toMatch(/\$ref|\$defs/);
    const at = { x: 1.5, y: -2 };
    const via = [{ at, yaw: 1 }];
    const driven = await rig.call('mcp.models.drive', {
      goal: { at },
      via,
      speed: null,
      back: null,
      span: [0, 2],
    });
    expect(driven.result['structured']).toEqual({ at, yaw: 0 });
    expect((await rig.call('mcp.models.feed', { pet: { kind: 'cat', lives: 9 } })).result['text']).toBe(
      'cat',
    );
    for (const [tool, args] of [
      ['drive', { goal: { at: { x: '1', y: 2 } } }],
      ['drive', { goal: { at, yaw: 7 } }],
      ['drive', { goal: { at }, back: {} }],
      ['feed', { pet: { kind: 'cat', name: 'Rex' } }],
    ] as const)
      await expect(rig.call(`mcp.models.${tool}`, args)).rejects.toMatchObject({ code: 'schema.invalid' });
  });

  it('the schemas that unit tests know pydantic by are those that it writes', async () => {
    const { stdout } = await run(paths['python']!, [MODELS, 'schemas']);
    const known = readFileSync(join(ROOT, 'test/golden/mcp/pydantic-tools.json'), 'utf8');
    expect(JSON.parse(stdout)).toEqual(JSON.parse(known));
  });

  it('the file server: only the tools that are allowed, only within its folder', async () => {
    const states = rig.states('files');
    expect(states['read_text_file']).toBe('offered');
    expect(states['write_file']).toBe('offered');
    expect(states['move_file']).toBe('denied');
    expect(states['read_media_file']).toBe('denied');
    const read = await rig.call('mcp.files.read_text_file', { path: join(dir.path, 'note.txt') });
    expect(read.result['text']).toContain('behind the door');
    await rig.call('mcp.files.write_file', { path: join(dir.path, 'new.txt'), content: 'written' });
    expect(readFileSync(join(dir.path, 'new.txt'), 'utf8')).toBe('written');
    await expect(rig.call('mcp.files.read_text_file', { path: '/etc/hostname' })).rejects.toMatchObject({
      code: 'tool.failed',
    });
  });
});

describe('a client of others, and a whole daemon', () => {
  let dir: ReturnType<typeof freshDir>;
  let daemon: TestDaemon | undefined;
  beforeAll(async () => {
    dir = freshDir('mcp-daemon');
    const config = join(dir.path, 'robot.toml');
    const server = join(ROOT, 'test/support/mcp-hostile-main.ts');
    writeFileSync(
      config,
      `[sim]\nwidth = 2\nheight = 2\n\n[[mcp.servers]]\nname = "stays"\ncommand = "${process.execPath}"\n` +
        `args = ["${server}", "stays"]\napps = ["*"]\ndeny = ["go"]\n`,
    );
    daemon = await testDaemon(dir.path, { AURAISON_CONFIG: config });
  });
  afterAll(async () => {
    await daemon?.stop();
    dir.remove();
  });

  type Seen = {
    tools: string[];
    state: { pose?: unknown };
    wrong: [boolean, string];
    run: { status: string; run_id: string };
    resource: { origin: string; principal: string };
    clip: [boolean, string];
    query: [boolean, string];
    progress: string[];
  };

  async function python(...args: string[]): Promise<Seen> {
    const script = join(ROOT, 'test/peers/mcp_client.py');
    const env = { ...process.env, AURAISON_DAEMON_DATA_DIR: dir.path };
    const { stdout } = await run(paths['python']!, [script, ...args], { env, timeout: 280_000 });
    return JSON.parse(stdout) as Seen;
  }

  function check(seen: Seen): void {
    expect(seen.tools).toEqual(
      expect.arrayContaining([
        'bags_list',
        'clip_record',
        'lake_query',
        'robot_look',
        'robot_state',
        'robot_stop',
        'run_submit',
      ]),
    );
    expect(seen.state).toMatchObject({ connected: true });
    expect(seen.wrong[0]).toBe(true);
    expect(seen.wrong[1]).toContain('schema.invalid');
    expect(seen.run.status).toBe('succeeded');
    expect(seen.resource).toMatchObject({ origin: 'mcp', principal: 'operator' });
    expect(seen.query[1]).toContain('42');
  }

  for (const mode of ['auto', 'legacy']) {
    it(`the Python client drives the robot through the maze over HTTP (${mode})`, async () => {
      const token = readFileSync(join(dir.path, 'token'), 'utf8').trim();
      const seen = await python('http', `${daemon!.api.url}/mcp`, token, mode);
      check(seen);
      expect(seen.progress.length).toBeGreaterThan(0);
    });
  }

  it('and over the stdio bridge, as clients that start their servers do', async () => {
    check(await python('stdio', AURAISON, '--data-dir', dir.path, 'mcp'));
  });

  it('has foreign servers beside it, shows them, and ends them even when the cell is killed', async () => {
    const isUp = async () =>
      (await daemon!.api.get<{ servers: McpServerView[] }>('/v1/mcp/servers')).servers[0]?.state === 'up';
    await until(isUp, 'the server is up');
    const args = ['mcp', 'servers', '--data-dir', dir.path, '--json'];
    const { stdout } = await run(AURAISON, args, {
      env: { ...process.env, AURAISON_CONFIG: join(dir.path, 'robot.toml') },
    });
    const [view] = (JSON.parse(stdout) as { servers: McpServerView[] }).servers;
    expect(view).toMatchObject({ server: 'stays', state: 'up', apps: ['*'] });
    expect(view?.tools.map(({ name, state }) => [name, state])).toEqual([
      ['mcp.stays.echo', 'offered'],
      ['mcp.stays.go', 'denied'],
    ]);
    process.kill(await daemon!.pidOf('runtime'), 'SIGKILL');
    await until(() => !alive(view!.pid!), 'the server is gone with its cell');
    // Its tools are known without it: the new cell starts it when one of them is called.
    const after = await until(async () => {
      const { servers } = await daemon!.api.get<{ servers: McpServerView[] }>('/v1/mcp/servers');
      return servers[0];
    }, 'the new cell answers');
    expect(after).toMatchObject({ state: 'idle' });
    expect(after.tools[0]).toMatchObject({ name: 'mcp.stays.echo', state: 'offered' });
  });

  it('writes down what the policies said about calls that are no runs', async () => {
    const sql = "select distinct payload->>'$.subject' as subject from events where kind = 'policy.decided'";
    await until(async () => {
      const { rows } = await daemon!.api.post<{ rows: string[][] }>('/v1/query', { sql });
      return rows.flat().includes('robot.state');
    }, 'the decision is in the lakehouse');
  });
});
