import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { guardFolder, ModuleGuard, type PackageShelf } from '../../adapters/packages/index.ts';
import type { AppView } from '../../contract/index.ts';
import { appsOnDisk, makePackageShelf } from '../../daemon/compose/package-reader.ts';
import { loadRules } from '../../daemon/compose/shelf-rules.ts';
import type { ModelRow } from '../../daemon/config/models.ts';
import { readConfig } from '../../daemon/config.ts';
import type { Settings } from '../../daemon/settings.ts';
import { CallNote, endedByItself } from '../../io/call-note.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-load-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const calls = () => join(guardFolder(join(root, 'data')), 'calls.json');
const left = () => join(root, 'left.json');

/** A module whose load leaves on the disk what a process leaves that dies in it. */
const dying = (more = '') => `import { copyFileSync } from 'node:fs';
copyFileSync(${JSON.stringify(calls())}, ${JSON.stringify(left())});
export const application = {};
${more}`;

function put(name: string, code: string): void {
  const folder = join(root, 'apps', name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'app.toml'),
    `name = "${name}"\nversion = "0.1.0"\ndescription = "x"\nharness = "flow"\nmodule = "index.ts"\n[[intents]]\ntype = "${name}/go"\ndescription = "go"\n`,
  );
  writeFileSync(join(folder, 'index.ts'), code);
}

function settings(): Settings {
  const { config } = readConfig('', 'test.toml', {
    AURAISON_APPS_DIRS: join(root, 'apps'),
    AURAISON_APPS_SHIPPED: 'false',
  });
  return { config, dataDir: join(root, 'data') } as Settings;
}

/** The shelf of a process that starts; `died`: in the load of the one before it. */
function process(died: 'no' | 'by itself' | 'killed by another'): {
  readonly shelf: PackageShelf;
  readonly guard: ModuleGuard;
  readonly isolated: string[];
} {
  if (died !== 'no') writeNote();
  const isolated: string[] = [];
  const guard = new ModuleGuard({
    note: new CallNote(guardFolder(join(root, 'data')), died === 'by itself'),
    report: () => {},
    isolated: (name) => isolated.push(name),
  });
  const shelf = makePackageShelf(settings(), [], guard.rules(loadRules(settings())));
  rmSync(left(), { force: true });
  shelf.read();
  return { shelf, guard, isolated };
}

function writeNote(): void {
  rmSync(calls());
  writeFileSync(calls(), note);
}
let note = '';
const states = (views: readonly AppView[]) =>
  Object.fromEntries(views.map(({ name, state, reason }) => [name, `${state} ${reason}`.trim()]));
const FAULT = expect.stringMatching(/^bad .*looped, or ended the runtime cell, .*auraison app reload loop$/);

describe('a module that was being loaded when its process died', () => {
  beforeEach(() => {
    put('loop', dying());
    put('well', 'export const application = {};');
    const { shelf } = process('no');
    expect(states(shelf.views())).toEqual({ loop: 'loaded', well: 'loaded' });
    note = readFileSync(left(), 'utf8');
  });

  it('is not loaded by the next process, which says so with the command that loads it again; others are', () => {
    const { shelf, guard } = process('by itself');
    expect(states(shelf.views())).toEqual({ loop: FAULT, well: 'loaded' });
    expect(existsSync(left())).toBe(false);
    shelf.read();
    expect(states(shelf.views())).toMatchObject({ loop: FAULT });
    // The command line and a replay read the same, and load nothing of it.
    expect(states(appsOnDisk(settings()))).toEqual({ loop: FAULT, well: 'loaded' });
    const replay = makePackageShelf(settings(), [], loadRules(settings()));
    replay.read();
    expect(states(replay.views())).toEqual({ loop: FAULT, well: 'loaded' });
    expect(existsSync(left())).toBe(false);
    guard.forgive('well');
    shelf.read();
    expect(states(shelf.views())).toMatchObject({ loop: FAULT });
    guard.forgive('loop');
    shelf.read();
    expect(states(shelf.views())).toEqual({ loop: 'loaded', well: 'loaded' });
  });

  it('is not loaded either after the daemon was stopped and started', () => {
    process('by itself').guard.close();
    expect(states(process('no').shelf.views())).toEqual({ loop: FAULT, well: 'loaded' });
  });

  it('is loaded when it has changed', () => {
    process('by itself').guard.close();
    put('loop', dying('// mended'));
    expect(states(process('no').shelf.views())).toEqual({ loop: 'loaded', well: 'loaded' });
  });

  it('is loaded again where another process may have killed its own: that counts only twice in a row', () => {
    expect(states(process('killed by another').shelf.views())).toMatchObject({ loop: 'loaded' });
    // It was loaded since then: the suspicion is over.
    expect(states(process('killed by another').shelf.views())).toMatchObject({ loop: 'loaded' });
    // The next one dies in it too.
    writeNote();
    new CallNote(guardFolder(join(root, 'data')), false);
    expect(states(process('killed by another').shelf.views())).toMatchObject({ loop: FAULT });
  });
});

it('what the top level of a module leaves behind takes out its package, and is no fault of the daemon', () => {
  put(
    'late',
    "import { AsyncLocalStorage } from 'node:async_hooks';\nglobalThis.late = AsyncLocalStorage.snapshot();\nexport const application = {};",
  );
  put('well', 'export const application = {};');
  const { shelf, guard, isolated } = process('no');
  const stray = new Error('too late');
  expect(guard.takesStray(stray, 'unhandledRejection')).toBe(false);
  const { late } = globalThis as unknown as { late: <T>(work: () => T) => T };
  // Thrown by code of the daemon: that is not its fault.
  expect(late(() => guard.takesStray(stray, 'uncaughtException'))).toBe(false);
  for (let i = 0; i < 3; i++) expect(late(() => guard.takesStray(stray, 'unhandledRejection'))).toBe(true);
  expect(isolated).toEqual(['late']);
  shelf.read();
  expect(shelf.apps.map(({ app }) => app.name)).toEqual(['well']);
  expect(states(shelf.views())).toEqual({
    late: expect.stringMatching(/^bad .*nothing caught: too late; change it, .*auraison app reload late$/),
    well: 'loaded',
  });
  guard.forgive('late');
  shelf.read();
  expect(shelf.apps).toHaveLength(2);
  late(() => guard.processExits());
  expect(states(process('no').shelf.views())).toMatchObject({
    late: expect.stringMatching(/^bad its module ended the runtime cell after it was loaded/),
  });
});

it.each([
  ['no heartbeat for 1751 ms', true],
  ['exit code 0', true],
  ['signal SIGABRT', true],
  ['signal SIGKILL', false],
  ['signal SIGTERM', false],
])('a cell that comes after "%s" blames what was being called: %s', (startReason, blames) => {
  expect(endedByItself({ attempt: 1, startReason })).toBe(blames);
  expect(endedByItself({ attempt: 0, startReason })).toBe(false);
});

it('an application that needs a model is offered as soon as one was added, and off when the last was removed', () => {
  put('guide', 'export const application = {};');
  const file = join(root, 'apps', 'guide', 'app.toml');
  writeFileSync(file, `${readFileSync(file, 'utf8')}\n[needs]\nmodel = true\n`);
  let models: readonly ModelRow[] = [];
  const shelf = makePackageShelf(
    settings(),
    [],
    loadRules({ config: settings().config, modelsNow: () => models }),
  );
  const after = (...tools: readonly boolean[]) => {
    models = tools.map((can) => ({ name: 'm', tools: can }) as ModelRow);
    shelf.read();
    return shelf.views().map(({ state }) => state);
  };
  expect([after(), after(true), after()]).toEqual([['off'], ['loaded'], ['off']]);
  // Agents act by calling tools.
  expect(after(false)).toEqual(['off']);
  expect(shelf.views()[0]?.reason).toContain('m calls none: auraison models add');
  expect(after(false, true)).toEqual(['loaded']);
});
