import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  digestOf,
  faultText,
  type PackageShelf,
  readPackageFiles,
  signDigest,
} from '../../adapters/packages/index.ts';
import { EdgeError } from '../../contract/index.ts';
import { appsOnDisk, makePackageShelf, readPackage } from '../../daemon/compose/package-reader.ts';
import { loadRules } from '../../daemon/compose/shelf-rules.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-module-'));
  mkdirSync(join(root, 'apps'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const manifest = (name: string, more = '') => `name = "${name}"
version = "0.1.0"
description = "x"
harness = "flow"
module = "index.ts"
${more}
[[intents]]
type = "${name.replaceAll('-', '_')}/go"
description = "go"
`;

const FLOW = `import { EdgeError, type AppModule } from 'auraison-edge';
import { word } from './parts/word.ts';
export const application: AppModule = {
  flow: {
    name: 'f', start: 'one', stepsMax: 10, begin: () => ({}),
    states: {
      one: { about: word, deadlineMs: 1_000, enter: async () => ({ event: 'on', reason: word }), on: { on: 'done' } },
      done: { about: 'done', end: 'succeeded', conclude: () => ({ reason: EdgeError.name, summary: {} }) },
    },
  },
};
`;

function put(name: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, 'apps', name, path, '..'), { recursive: true });
    writeFileSync(join(root, 'apps', name, path), text);
  }
}

function settings(env: Readonly<Record<string, string>> = {}): Settings {
  const { config, faults } = readConfig('', 'test.toml', { AURAISON_APPS_DIRS: join(root, 'apps'), ...env });
  expect(faults).toEqual([]);
  return { config, dataDir: join(root, 'data') } as Settings;
}

function shelfOf(of: Settings): PackageShelf {
  const shelf = makePackageShelf(of, [], loadRules(of));
  shelf.read();
  return shelf;
}

it('code of a package is loaded from the copy of its version, and finds the contract and its own files', () => {
  put('good', {
    'app.toml': manifest('good'),
    'index.ts': FLOW,
    'parts/word.ts': "export const word: string = 'hi';",
  });
  const shelf = shelfOf(settings());
  const app = shelf.apps.find(({ app: { name } }) => name === 'good')!.app;
  expect(app.folder).toContain(join(root, 'data', 'apps', 'versions'));
  expect(app.flow?.states['one']?.about).toBe('hi');
  // The contract is this process's own: what it throws is an error of ours.
  const done = app.flow!.states['done']!;
  expect('conclude' in done && done.conclude({}, {}).reason).toBe(EdgeError.name);

  put('good', { 'parts/word.ts': "export const word: string = 'changed';" });
  shelf.read();
  const [now] = shelf.apps.filter(({ app: { name } }) => name === 'good');
  expect(now!.app.flow?.states['one']?.about).toBe('changed');
  expect(shelf.version('good', app.digest!)?.flow?.states['one']?.about).toBe('hi');
});

it.each([
  ['throws', "throw new Error('out of order');", /out of order/],
  ['waits', 'await Promise.resolve(); export const application = {};', /waits at its top level/],
  ['exports nothing', 'export const other = 1;', /exports no application/],
  [
    'says what stands in app.toml',
    'export const application = { name: "x" };',
    /application\.name is not known/,
  ],
  ['imports what is not there', "import 'no-such-package';", /no-such-package/],
  ['leaves its folder', `import '${'../'.repeat(3)}secret.ts';`, /Cannot find module/],
  [
    'wants a tool that app.toml does not name',
    "export const application = { agent: { instructions: 'x', prompt: () => 'x', tools: ['robot.*'] } };",
    /agent\.tools names "robot\.\*"/,
  ],
])('a module that %s is a line of the list, and harms no other', (_what, code, reason) => {
  put('bad', { 'app.toml': manifest('bad', 'tools = ["robot.state"]'), 'index.ts': code });
  put('good', {
    'app.toml': manifest('good'),
    'index.ts': FLOW,
    'parts/word.ts': "export const word = 'hi';",
  });
  const views = shelfOf(settings()).views();
  expect(views.find(({ name }) => name === 'bad')).toMatchObject({
    state: 'bad',
    reason: expect.stringMatching(reason),
  });
  expect(views.find(({ name }) => name === 'good')).toMatchObject({ state: 'loaded', reason: '' });
  expect(views.find(({ name }) => name === 'turtlebot-maze')).toMatchObject({ state: 'loaded' });
});

it('the command line judges a package and runs nothing of it', () => {
  const mark = join(root, 'ran');
  const code = `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(mark)}, '');\nexport const application = {};`;
  put('loud', { 'app.toml': manifest('loud'), 'index.ts': code });
  expect(appsOnDisk(settings()).find(({ name }) => name === 'loud')).toMatchObject({ state: 'loaded' });
  expect(existsSync(mark)).toBe(false);
  shelfOf(settings());
  expect(existsSync(mark)).toBe(true);
});

it.each([
  ['is not there', { 'app.toml': manifest('one') }, /app\.toml:5: module: there is no index\.ts/],
  [
    'is none that Node can run',
    { 'app.toml': manifest('one'), 'index.ts': 'enum Colour { Red }' },
    /index\.ts: is no TypeScript that Node can run/,
  ],
])('a check finds a module that %s', (_what, files, fault) => {
  put('one', files);
  const read = readPackage(join(root, 'apps', 'one'), { keys: new Map(), requireSigned: false });
  expect(read.ok ? [] : read.faults.map(faultText)).toEqual([expect.stringMatching(fault)]);
});

it('the shipped applications are packages: left out, another may have their names', () => {
  const here = shelfOf(settings()).views();
  expect(here.map(({ name, source, state }) => [name, source, state])).toEqual([
    ['robot-moves', 'shipped', 'loaded'],
    ['turtlebot-maze', 'shipped', 'loaded'],
    ['ar4-physical-ai', 'shipped', 'off'],
    ['robot', 'shipped', 'off'],
  ]);
  put('own', {
    'app.toml': manifest('turtlebot-maze'),
    'index.ts': FLOW,
    'parts/word.ts': "export const word = 'mine';",
  });
  const clash = shelfOf(settings())
    .views()
    .find(({ source }) => source === 'folder');
  expect(clash).toMatchObject({
    state: 'bad',
    reason: expect.stringContaining('another application is called'),
  });
  const mine = shelfOf(settings({ AURAISON_APPS_SHIPPED: 'false' })).apps;
  expect(mine.map(({ app }) => [app.name, app.flow?.states['one']?.about])).toEqual([
    ['turtlebot-maze', 'mine'],
  ]);
});

it('as_agent runs an application as its agent, and says so where it has none', () => {
  put('good', {
    'app.toml': manifest('good'),
    'index.ts': FLOW,
    'parts/word.ts': "export const word = 'hi';",
  });
  const shelf = shelfOf(settings({ AURAISON_APPS_AS_AGENT: 'turtlebot-maze,good' }));
  expect(shelf.apps.map(({ app: { name, harness } }) => [name, harness])).toEqual([
    ['robot-moves', 'flow'],
    ['turtlebot-maze', 'pi'],
  ]);
  expect(shelf.views().find(({ name }) => name === 'good')?.reason).toMatch(/it has no agent/);
});

const KEYS = generateKeyPairSync('ed25519');
const publicKey = () => {
  writeFileSync(join(root, 'acme.pem'), KEYS.publicKey.export({ type: 'spki', format: 'pem' }));
  return join(root, 'acme.pem');
};
const sign = (name: string) => {
  const files = readPackageFiles(join(root, 'apps', name));
  if (!files.ok) throw new Error('unreadable');
  const pem = KEYS.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  writeFileSync(join(root, 'apps', name, 'app.sig'), signDigest(digestOf(files.files), pem));
};
const CODE = { 'parts/word.ts': "export const word: string = 'hi';", 'index.ts': FLOW };

it('apps.modules, signed: code of a package runs where a trusted key signed it, and the refusal names the key', () => {
  put('ours', { 'app.toml': manifest('ours'), ...CODE });
  put('other', { 'app.toml': manifest('other'), ...CODE });
  put('files', {
    'app.toml': manifest('files').replace('module = "index.ts"\n', ''),
    'flow.yaml': 'steps:\n  - id: wait\n    wait: 1 s\n',
  });
  sign('ours');
  const shelf = shelfOf(
    settings({ AURAISON_APPS_MODULES: 'signed', AURAISON_APPS_TRUSTED_KEYS: publicKey() }),
  );
  const names = shelf.apps.map(({ app: { name } }) => name);
  expect(names).toEqual(expect.arrayContaining(['ours', 'turtlebot-maze']));
  expect(names).not.toContain('other');
  expect(shelf.views().find(({ name }) => name === 'other')).toMatchObject({
    state: 'bad',
    reason: expect.stringMatching(
      /^app\.toml:5: module: .*\[apps\] modules = "signed".*auraison app pack --key/,
    ),
  });
  // What has no code needs no signature.
  expect(shelf.views().find(({ name }) => name === 'files')?.reason ?? '').not.toContain('modules');
});

it.each(['signed', 'none'])('apps.modules, %s: extensions are code of a package too', (modules) => {
  const files = {
    'app.toml': manifest('guide')
      .replace('harness = "flow"', 'harness = "pi"')
      .replace('module = "index.ts"\n', ''),
    'AGENT.md': 'You drive.',
    'extensions/peek.ts':
      "import { readFileSync } from 'node:fs';\nexport default () => readFileSync('/etc/passwd');\n",
  };
  put('guide', files);
  expect(
    shelfOf(settings())
      .views()
      .find(({ name }) => name === 'guide')?.state,
  ).toBe('loaded');
  const shelf = shelfOf(
    settings({ AURAISON_APPS_MODULES: modules, AURAISON_APPS_TRUSTED_KEYS: publicKey() }),
  );
  expect(shelf.views().find(({ name }) => name === 'guide')).toMatchObject({
    state: 'bad',
    reason: expect.stringContaining(`extensions/peek.ts: is code that would run in the daemon`),
  });
  sign('guide');
  const signed = shelfOf(
    settings({ AURAISON_APPS_MODULES: modules, AURAISON_APPS_TRUSTED_KEYS: publicKey() }),
  );
  expect(signed.views().find(({ name }) => name === 'guide')?.state).toBe(
    modules === 'signed' ? 'loaded' : 'bad',
  );
});

it('apps.modules, none: no code of a package runs, not of a kept version either; what comes with the daemon does', () => {
  put('ours', { 'app.toml': manifest('ours'), ...CODE });
  sign('ours');
  const before = shelfOf(settings());
  const { digest } = before.apps.find(({ app: { name } }) => name === 'ours')!.app;
  expect(before.version('ours', digest!)).toBeDefined();
  const shelf = shelfOf(settings({ AURAISON_APPS_MODULES: 'none', AURAISON_APPS_TRUSTED_KEYS: publicKey() }));
  expect(shelf.views().find(({ name }) => name === 'ours')?.reason).toContain('[apps] modules = "none"');
  expect(shelf.version('ours', digest!)).toBeUndefined();
  const maze = shelf.apps.find(({ app: { name } }) => name === 'turtlebot-maze')!.app;
  expect(shelf.version('turtlebot-maze', maze.digest!)?.flow).toBeDefined();
});

it('apps.modules that is none of the three is a fault of the configuration', () => {
  const { faults } = readConfig('[apps]\nmodules = "some"\n', 'test.toml', {});
  expect(JSON.stringify(faults)).toMatch(/apps\.modules.*any.*signed.*none/);
});
