import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type {
  AgentEvent,
  AppView,
  ExtensionView,
  ReplayOutcome,
  RunDetails,
  Submitted,
} from '../../contract/index.ts';
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
import { notingCommands, simCommands } from '../support/sim-commands.ts';

let folder: ReturnType<typeof freshDir>;
let daemon: TestDaemon | undefined;
let model: FakeOpenAi | undefined;
beforeEach(() => {
  folder = freshDir('auraison-packages');
});
afterEach(async () => {
  await daemon?.stop();
  daemon = undefined;
  await model?.stop();
  folder.remove();
});

const at = (...path: string[]) => join(folder.path, ...path);

function write(path: string, text: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
}

async function type<T>(...args: string[]): Promise<{ readonly code: number | null; readonly said: T }> {
  const { status, stdout, stderr } = await auraisonAsync([...args, '--json', '--data-dir', at('data')]);
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (!line.startsWith('{')) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  return { code: status, said: JSON.parse(line) as T };
}

/** A whole MCP server over standard input and output, with one tool. */
const SERVER = `
import { createInterface } from 'node:readline';
const answer = (id, result) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result }) + '\\n');
const tool = { name: 'tide', description: 'How high the water stands', inputSchema: { type: 'object', properties: {} } };
createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (method === 'initialize')
    answer(id, { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 'tides', version: '1.0.0' } });
  else if (method === 'tools/list') answer(id, { tools: [tool] });
  else if (method === 'tools/call') answer(id, { content: [{ type: 'text', text: 'low tide' }] });
  else if (id !== undefined) answer(id, {});
});
`;

const EXTENSION = `
export default (pi) => {
  pi.registerTool({
    name: 'lamp',
    description: 'Switches the lamp',
    parameters: { type: 'object', properties: {} },
    async execute() { return { content: [{ type: 'text', text: 'the lamp is on' }] }; },
  });
  pi.on('tool_call', ({ toolName }) => toolName === 'robot_navigate' ? { block: true, reason: 'too far' } : undefined);
};
`;

/** Made by the command, with everything a package can have. */
async function makeGuide(): Promise<void> {
  await type('app', 'new', 'guide', '--harness', 'pi', '--dir', at('apps'));
  const toml = at('apps', 'guide', 'app.toml');
  const text = readFileSync(toml, 'utf8').replace('"skill.load"]', '"skill.load", "mcp.tides.*"]');
  writeFileSync(toml, `${text}\n[[mcp]]\nname = "tides"\ncommand = "node"\nargs = ["./server.mjs"]\n`);
  write(at('apps', 'guide', 'server.mjs'), SERVER);
  write(at('apps', 'guide', 'extensions', 'lamp.ts'), EXTENSION);
}

/** A second agent of files whose extension does this when it is loaded. */
async function makeNeighbour(name: string, extension: string): Promise<void> {
  await type('app', 'new', name, '--harness', 'pi', '--dir', at('apps'));
  write(at('apps', name, 'extensions', 'evil.ts'), extension);
}

function startWith(url: string) {
  write(
    at('robot.toml'),
    `[[models]]\nname = "scripted"\nurl = "${url}"\nmodel = "scripted"\ncontext = 16384\n`,
  );
  return testDaemon(at('data'), {
    ...notingCommands(at('commands')),
    AURAISON_APPS_DIRS: at('apps'),
    AURAISON_CONFIG: at('robot.toml'),
  });
}

const call = (name: string, args: unknown = {}) => say({ calls: [{ name, args }], finish: 'tool_calls' });

it('an agent made of files alone uses its skill, extension and MCP server, and drives through the one gate', async () => {
  await makeGuide();
  await makeNeighbour('thrower', "throw new Error('no such shelf');\nexport default () => {};\n");
  model = await FakeOpenAi.start(
    call('skill_load', { name: 'careful-driving' }),
    call('ext_lamp'),
    call('mcp_tides_tide'),
    call('robot_navigate', { x: 1, y: 0 }),
    call('robot_maneuver', { kind: 'drive', distance_m: 0.25 }),
    call('run_finish', { status: 'succeeded', reason: 'drove a quarter of a metre' }),
  );
  daemon = await startWith(model.url);
  const { api } = daemon;
  const { run } = await api.post<Submitted>('/v1/intents', { type: 'guide/drive', params: { metres: 0.25 } });
  const done = await finishedRun(api, run.run_id);
  expect(done).toMatchObject({
    run: { status: 'succeeded', harness: 'pi' },
    reason: 'drove a quarter of a metre',
  });

  const events = (await allEvents(api)).filter(({ run_id }) => run_id === run.run_id);
  const results = events.filter(
    (event): event is AgentEvent<'tool.returned'> => event.kind === 'tool.returned',
  );
  const said = Object.fromEntries(
    results.map(({ payload }) => [payload.tool, JSON.stringify(payload.result ?? payload.error)]),
  );
  expect(said['skill.load']).toContain('Drive in pieces');
  expect(said['ext.lamp']).toContain('the lamp is on');
  expect(said['mcp.tides.tide']).toContain('low tide');
  expect(said['robot.maneuver']).toContain('reached');
  // It was not among its tools, and nothing of it was done.
  expect(said['robot.navigate'] ?? 'tool.not_found').toContain('tool.not_found');
  expect(JSON.stringify(model.asked[0]!.body)).toContain('You steer a small robot');
  expect(JSON.stringify(model.asked[0]!.body)).toContain('careful-driving');
  const drives = simCommands(at('commands')).filter(({ linear }) => linear !== 0);
  expect(drives.length).toBeGreaterThan(3);
  // Each motion was judged as anybody's is.
  const judged = events.filter(
    (event) => event.kind === 'policy.decided' && event.payload.subject === 'robot.maneuver',
  );
  expect(judged.length).toBeGreaterThan(0);

  const { extensions } = await api.get<{ extensions: ExtensionView[] }>('/v1/extensions');
  const thrower = extensions.find(({ app }) => app === 'thrower');
  expect(thrower).toMatchObject({ state: 'failed', reason: expect.stringContaining('no such shelf') });
  expect((await daemon.status()).cells.every(({ restarts }) => restarts === 0)).toBe(true);
  const replayed = await api.post<ReplayOutcome>(`/v1/runs/${run.run_id}/replay`, {});
  expect(replayed).toMatchObject({ verdict: 'identical' });
}, 240_000);

it('a package whose extension never stops loading is taken out, and the others serve', async () => {
  await makeGuide();
  model = await FakeOpenAi.start(call('run_finish', { status: 'succeeded', reason: 'here' }));
  daemon = await startWith(model.url);
  const { api } = daemon;
  await makeNeighbour('looper', 'export default () => { for (;;) {} };\n');
  const looper = await until(
    async () => {
      const { extensions } = await api.get<{ extensions: ExtensionView[] }>('/v1/extensions');
      return extensions.find(({ app, state }) => app === 'looper' && state === 'isolated');
    },
    'the extension is isolated',
    300_000,
  );
  expect(looper.reason).toContain('when the runtime cell died');
  const { run } = await api.post<Submitted>('/v1/intents', { type: 'guide/drive' });
  expect(await finishedRun(api, run.run_id)).toMatchObject({ reason: 'here' });
  const cells = (await daemon.status()).cells;
  expect(cells.filter(({ name, restarts }) => name !== 'runtime' && restarts > 0)).toEqual([]);
}, 420_000);

it('where signatures are required only packages of trusted keys are taken, from a folder and from a tarball', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  write(at('acme.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  write(at('acme.pem'), publicKey.export({ type: 'spki', format: 'pem' }) as string);
  await type('app', 'new', 'patrol', '--dir', at('mine'));
  await type('app', 'pack', at('mine', 'patrol'), '--key', at('acme.key'), '--out', at('signed.tgz'));
  await type('app', 'pack', at('mine', 'patrol'), '--out', at('unsigned.tgz'));
  cpSync(at('mine', 'patrol'), at('apps', 'patrol'), { recursive: true });
  write(
    at('robot.toml'),
    `[apps]\ndirs = ["${at('apps')}"]\nrequire_signed = true\ntrusted_keys = ["${at('acme.pem')}"]\n`,
  );
  daemon = await testDaemon(at('data'), { AURAISON_CONFIG: at('robot.toml') });
  const listed = async () =>
    (await daemon!.api.get<{ apps: AppView[] }>('/v1/apps')).apps.filter(({ name }) => name === 'patrol');
  expect(await listed()).toEqual([
    expect.objectContaining({ state: 'bad', reason: expect.stringContaining('app.sig') }),
  ]);
  await expect(daemon.api.post('/v1/intents', { type: 'patrol/drive' })).rejects.toMatchObject({
    code: 'intent.unknown_type',
  });

  const install = (file: string) =>
    type<Record<string, unknown>>('app', 'install', at(file), '--config', at('robot.toml'));
  const refused = await install('unsigned.tgz');
  expect({ code: refused.code, said: JSON.stringify(refused.said) }).toEqual({
    code: 78,
    said: expect.stringContaining('require_signed'),
  });
  const taken = await install('signed.tgz');
  expect(taken).toMatchObject({ code: 0, said: { state: 'loaded', signed_by: 'acme' } });
  const { run } = await daemon.api.post<Submitted>('/v1/intents', {
    type: 'patrol/drive',
    params: { metres: 0.1 },
  });
  expect((await finishedRun(daemon.api, run.run_id)).run.status).toBe('succeeded');
}, 240_000);

it('app test runs the cases of a package and says which failed; npm packages are installed without their scripts', async () => {
  await type('app', 'new', 'patrol', '--dir', at('mine'));
  write(
    at('mine', 'patrol', 'tests', 'sum.test.ts'),
    "import assert from 'node:assert';\nimport { test } from 'node:test';\ntest('sums', () => assert.equal(1 + 1, 2 as number));\n",
  );
  write(
    at('mine', 'patrol', 'tests', 'wrong.toml'),
    '[[cases]]\nname = "ends otherwise"\nintent = "patrol/drive"\nstatus = "cancelled"\nmoved_max = 0.01\n',
  );
  type Tested = {
    passed: number;
    failed: number;
    results: { name: string; ok: boolean; problems: string[] }[];
  };
  const { code, said } = await type<Tested>('app', 'test', at('mine', 'patrol'));
  expect({ code, passed: said.passed, failed: said.failed }).toEqual({ code: 1, passed: 2, failed: 1 });
  const failed = said.results.find(({ ok }) => !ok)!;
  expect(failed).toMatchObject({
    name: 'ends otherwise',
    problems: [expect.stringContaining('expected cancelled, it'), expect.stringContaining('at most 0.01 m')],
  });

  write(
    at('mine', 'patrol', 'package.json'),
    JSON.stringify({
      name: 'patrol',
      version: '0.1.0',
      scripts: { prepack: `touch ${at('ran')}`, prepare: `touch ${at('ran')}` },
    }),
  );
  const installed = await type<RunDetails>('app', 'install', `npm:${at('mine', 'patrol')}`);
  expect(installed).toMatchObject({ code: 0, said: { name: 'patrol', state: 'not running' } });
  expect(() => readFileSync(at('ran'))).toThrow();
  expect((await type<{ apps: AppView[] }>('app', 'list')).said.apps).toContainEqual(
    expect.objectContaining({ name: 'patrol', source: 'installed', state: 'loaded' }),
  );
}, 240_000);
