import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ManualClock } from '../fakes/manual-clock.ts';
import { ExtensionFolder, hostOf, noteOf } from '../support/extension-rig.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const LOADER = join(ROOT, 'adapters/extensions/load-module.ts');
let folder: ExtensionFolder;
beforeEach(() => {
  folder = new ExtensionFolder();
});
afterEach(() => folder.end());

const toolNamed = (name: string) => `export default (pi) => {
  pi.registerTool({ name: '${name}', description: 'd', parameters: { type: 'object' }, execute: async () => ({ content: [] }) });
};`;

function started() {
  const states: { extension: string; state: string; reason: string }[] = [];
  const host = hostOf(folder, new ManualClock(), states);
  const names = () => host.tools('agent').map(({ spec }) => spec.name);
  return { host, states, names };
}

describe('reading extensions again', () => {
  it('takes what is new, changed and gone; who has the old one keeps it', async () => {
    folder.write(
      'a.ts',
      `import { text } from './lib/text.ts';
      export default (pi) => { pi.registerTool({ name: 'say', description: 'd', parameters: { type: 'object' },
        execute: async () => ({ content: [{ type: 'text', text }] }) }); };`,
    );
    folder.write('lib/text.ts', `export const text: string = 'one';`);
    folder.write('b.ts', toolNamed('b'));
    const { host, states, names } = started();
    await host.start();
    expect(names()).toEqual(['ext.say', 'ext.b']);
    const [old] = host.tools('agent');
    folder.write('lib/text.ts', `export const text: string = 'two';`);
    folder.remove('b.ts');
    folder.write('c.ts', toolNamed('c'));
    await host.refresh();
    expect(names()).toEqual(['ext.say', 'ext.c']);
    expect(host.tools('agent')[0]).not.toBe(old);
    expect(states.slice(2)).toEqual([
      { extension: 'extensions/a.ts', state: 'loaded', reason: 'a new version' },
      { extension: 'extensions/c.ts', state: 'loaded', reason: '' },
      { extension: 'extensions/b.ts', state: 'unloaded', reason: 'its file is gone' },
    ]);
    // Nothing has changed: nothing is said.
    await host.refresh();
    expect(states).toHaveLength(5);
  });

  it('reads what an extension imports anew too, by the type stripping of Node itself', () => {
    const script = `
      import { writeFileSync } from 'node:fs';
      import { loadModule } from ${JSON.stringify(LOADER)};
      const told = [];
      for (const text of ['one', 'two']) {
        writeFileSync(${JSON.stringify(join(folder.path, 'extensions/text.ts'))}, \`export const text: string = '\${text}';\`);
        (await loadModule(${JSON.stringify(join(folder.path, 'extensions/a.ts'))}))({ told: (text) => told.push(text) });
      }
      process.stdout.write(told.join());`;
    folder.write(
      'a.ts',
      `import { text } from './text.ts'; export default (pi: any): void => pi.told(text);`,
    );
    const told = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(told).toBe('one,two');
  });

  it('keeps the old version where the new one is broken, and says so', async () => {
    folder.write('a.ts', toolNamed('a'));
    const { host, states, names } = started();
    await host.start();
    folder.write('a.ts', 'export default (pi) => { this is no TypeScript');
    const [view] = await host.reloadExtensions('agent');
    expect(names()).toEqual(['ext.a']);
    expect(view).toMatchObject({
      state: 'loaded',
      reason: expect.stringContaining('the former version stays in use'),
    });
    expect(states.at(-1)).toMatchObject({ state: 'failed' });
    folder.write('a.ts', toolNamed('better'));
    await host.reloadExtensions('agent');
    expect(names()).toEqual(['ext.better']);
    expect(host.extensions()[0]).toMatchObject({ state: 'loaded', reason: '' });
  });

  it('reports what cannot be loaded beside what can', async () => {
    folder.write('a.ts', `throw new Error('at once');`);
    folder.write('b.ts', 'export const nothing = 1;');
    folder.write('c.ts', toolNamed('c'));
    folder.write('d.ts', toolNamed('c'));
    folder.write('e.ts', 'export default async () => { throw null; }');
    const { host, names } = started();
    await host.start();
    expect(names()).toEqual(['ext.c']);
    const states = Object.fromEntries(
      host.extensions().map(({ extension, state, reason }) => [extension, `${state}: ${reason}`]),
    );
    expect(states).toEqual({
      'extensions/c.ts': 'loaded: ',
      'extensions/a.ts': 'failed: at once',
      'extensions/b.ts': 'failed: it exports no function by default',
      'extensions/d.ts': 'failed: another extension has a tool ext.c already',
      'extensions/e.ts': 'failed: null',
    });
  });

  it('gives up a module that never ends loading, once for all of them', async () => {
    for (const name of ['a.ts', 'b.ts']) folder.write(name, 'export default () => new Promise(() => {});');
    folder.write('c.ts', toolNamed('c'));
    const clock = new ManualClock();
    const deaf = () => new Promise<void>(() => {});
    const load = async (path: string) => (path.endsWith('c.ts') ? () => {} : deaf);
    const host = hostOf(folder, clock, [], { load });
    const start = host.start();
    for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(6_000);
    await start;
    expect(host.extensions().map(({ state }) => state)).toEqual(['loaded', 'failed', 'failed']);
    expect(host.extensions()[1]!.reason).toContain('no answer within');
  });

  it('refuses folders that hold too much, and applications that are none', async () => {
    folder.write('big.ts', `// ${'x'.repeat(2 * 1024 * 1024)}`);
    const { host, states } = started();
    await host.start();
    expect(states).toEqual([
      { extension: 'extensions', state: 'failed', reason: expect.stringContaining('at most') },
    ]);
    await expect(host.reloadExtensions('nobody')).rejects.toMatchObject({ code: 'api.not_found' });
  });
});

describe('an extension that was being called when its process died', () => {
  const LOOP = (name: string) => `${toolNamed(name)}// loop`;

  async function dead(restarted: boolean, running = true) {
    folder.write('loop.ts', LOOP('loop'));
    folder.write('well.ts', toolNamed('well'));
    const clock = new ManualClock();
    const host = hostOf(folder, clock, [], { note: noteOf(folder, false) });
    await host.start();
    const sha256 = host.extensions()[0]!.sha256;
    const note = noteOf(folder, false);
    note.know('agent/extensions/loop.ts', sha256);
    // The process dies inside of the call: nobody ever says that it is over.
    const open = () => note.begin('agent/extensions/loop.ts', () => new Promise(() => {}));
    if (running) {
      note.begin('agent/extensions/loop.ts', () => {
        writeFileSync(join(folder.path, 'died'), '');
        copyNote();
      });
      restoreNote();
    } else open();
    const states: { extension: string; state: string; reason: string }[] = [];
    const next = hostOf(folder, clock, states, { note: noteOf(folder, restarted) });
    await next.start();
    return { next, states };
  }

  /** What the file holds in the midst of a call is what a killed process leaves. */
  const path = () => join(folder.path, 'note', 'calls.json');
  let left = '';
  const copyNote = () => {
    left = readFileSync(path(), 'utf8');
  };
  const restoreNote = () => writeFileSync(path(), left);

  it('is not loaded by the next one where only its cell died, until somebody changes or reloads it', async () => {
    const { next, states } = await dead(true);
    expect(states).toEqual(
      [
        { extension: 'extensions/well.ts', state: 'loaded', reason: '' },
        { extension: 'extensions/loop.ts', state: 'isolated', reason: expect.stringContaining('cell died') },
      ].sort((a, b) => (a.extension < b.extension ? -1 : 1)),
    );
    await next.refresh();
    expect(next.tools('agent').map(({ spec }) => spec.name)).toEqual(['ext.well']);
    await next.reloadExtensions('agent');
    expect(
      next
        .tools('agent')
        .map(({ spec }) => spec.name)
        .sort(),
    ).toEqual(['ext.loop', 'ext.well']);
  });

  it('in a loop without an end is killed with its process, and known by the next one', async () => {
    folder.write('well.ts', toolNamed('well'));
    folder.write(
      'loop.ts',
      `import { writeSync } from 'node:fs';
       export default (pi) => { pi.registerTool({ name: 'loop', description: 'd', parameters: { type: 'object' }, async execute() { await null; writeSync(1, 'looping'); for (;;); } }); };`,
    );
    const script = `
      import { SystemClock } from ${JSON.stringify(join(ROOT, 'adapters/clock/system-clock.ts'))};
      import { ExtensionHost } from ${JSON.stringify(join(ROOT, 'adapters/extensions/index.ts'))};
      import { CallNote } from ${JSON.stringify(join(ROOT, 'io/call-note.ts'))};
      const nothing = () => {};
      const host = new ExtensionHost({ apps: [{ name: 'agent', folder: ${JSON.stringify(folder.path)} }], clock: new SystemClock(),
        note: new CallNote(${JSON.stringify(join(folder.path, 'note'))}, false), emit: nothing, report: nothing, say: nothing });
      await host.start();
      const { signal } = new AbortController();
      const scope = { runId: 'r', callId: 'c', intent: {}, signal };
      const tool = (name) => host.tools('agent').find(({ spec }) => spec.name === name).run({}, scope);
      await tool('ext.well');
      await tool('ext.loop');`;
    const died = async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      // Said by the loop itself: the note may still hold the suspicion of the time before.
      await once(child.stdout, 'data');
      expect(readFileSync(path(), 'utf8')).toContain('loop.ts');
      child.kill('SIGKILL');
      await once(child, 'exit');
    };
    await died();
    // Behind an await nobody can tell a loop from waiting: once is a suspicion, twice in a row is enough.
    const first = hostOf(folder, new ManualClock(), [], { note: noteOf(folder, true) });
    await first.start();
    expect(first.tools('agent')).toHaveLength(2);
    await died();
    const second = hostOf(folder, new ManualClock(), [], { note: noteOf(folder, true) });
    await second.start();
    expect(second.tools('agent').map(({ spec }) => spec.name)).toEqual(['ext.well']);
  }, 60_000);

  it('while it was loaded, behind an await, is known by the next process where nothing else was loaded', async () => {
    const LATE = 'await null;\nglobalThis.atLoad?.();\nexport default () => {};';
    folder.write('loop.ts', LATE);
    const load = async (restarted: boolean, atLoad?: () => void) => {
      (globalThis as { atLoad?: (() => void) | undefined }).atLoad = atLoad;
      const host = hostOf(folder, new ManualClock(), [], { note: noteOf(folder, restarted) });
      await host.start();
      return Object.fromEntries(host.extensions().map(({ extension, state }) => [extension, state]));
    };
    await load(false, copyNote);
    restoreNote();
    expect(await load(true)).toEqual({ 'extensions/loop.ts': 'isolated' });
    // Beside another that is loaded too it is a suspicion, then it is loaded alone.
    rmSync(join(folder.path, 'extensions', 'loop.ts'));
    folder.write('late.ts', LATE);
    folder.write('well.ts', 'await null;\nexport default () => {};');
    await load(false, copyNote);
    restoreNote();
    expect(await load(true, copyNote)).toEqual({
      'extensions/late.ts': 'loaded',
      'extensions/well.ts': 'loaded',
    });
    restoreNote();
    expect(await load(true)).toEqual({ 'extensions/late.ts': 'isolated', 'extensions/well.ts': 'loaded' });
  });

  it('is loaded after a power cut: nobody knows that it was to blame', async () => {
    expect((await dead(false)).next.tools('agent')).toHaveLength(2);
  });

  it('is not loaded after the second time', async () => {
    await dead(false);
    expect((await dead(false)).next.tools('agent').map(({ spec }) => spec.name)).toEqual(['ext.well']);
  });

  it('waiting for something is under suspicion only', async () => {
    expect((await dead(true, false)).next.tools('agent')).toHaveLength(2);
  });

  it('is forgotten by a process that ends in order', async () => {
    const { next } = await dead(false);
    next.stop();
    expect((await dead(false)).next.tools('agent')).toHaveLength(2);
  });

  it('and a torn note is no note', () => {
    noteOf(folder, false).close();
    writeFileSync(path(), '{"running":"agent/exten');
    expect(() => noteOf(folder, true).close()).not.toThrow();
  });
});
