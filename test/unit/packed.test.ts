import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packedName, programsOf, withOwnPlace } from '../../scripts/pack/own-places.mjs';
import { entriesOf, pack, sourcesOf } from '../../scripts/pack/pack.mjs';

const root = join(import.meta.dirname, '..', '..');

describe('the place of a source that is packed', () => {
  const source = 'daemon/compose/one.ts';

  it('is that of the source', () => {
    const text = withOwnPlace(source, "read(new URL('./a.cedar', import.meta.url));", () => true);
    expect(text).toContain(`new URL('./a.cedar', __urlOf("${source}"))`);
    expect(text.split('\n')).toHaveLength(1);
  });

  it('is that of its packed file for a program', () => {
    const text = "new Worker(new URL('../cell/two-main.ts', import.meta.url))";
    expect(programsOf(source, text)).toEqual(['daemon/cell/two-main.ts']);
    expect(withOwnPlace(source, text, () => true)).toContain('__packedAt("daemon.cell.two-main.mjs")');
    expect(withOwnPlace(source, text, () => false)).toContain("new URL('../cell/two-main.ts', __urlOf(");
  });

  it('is left alone where nothing asks for it', () => {
    expect(withOwnPlace(source, 'const a = 1;', () => true)).toBe('const a = 1;');
  });
});

describe('packed files', () => {
  let folder = '';
  beforeAll(async () => {
    // Packages are found from there, as from the packed files of a checkout.
    folder = mkdtempSync(join(root, 'node_modules', '.packed-'));
    await pack({ out: folder, up: '../../' });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const run = (script: string) =>
    spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' });

  it('are there for each program and thread', () => {
    const entries = entriesOf(sourcesOf());
    expect(entries).toEqual(expect.arrayContaining(['daemon/main.ts', 'daemon/cell-main.ts']));
    expect(entries.map(packedName).filter((name) => !existsSync(join(folder, name)))).toEqual([]);
  });

  it('ask for no place but that of their sources', () => {
    const others = readdirSync(folder).flatMap((name) =>
      readFileSync(join(folder, name), 'utf8')
        .split('\n')
        .filter((line) => /^\s*[^/*\s].*import\.meta\.(?:url|dirname|filename|main)/.test(line))
        .filter(
          (line) =>
            !line.includes('requireOf(') && !/new URL\((?:name|"[./]+"), import\.meta\.url\)/.test(line),
        ),
    );
    expect(others).toEqual([]);
  });

  it('run a command', () => {
    const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'cli.entry.mjs'), '--version'], {
      encoding: 'utf8',
    });
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version);
  });

  it('hand one contract to the code of a package: an error is of one class for both', () => {
    const chunk = readdirSync(folder).find((name) =>
      readFileSync(join(folder, name), 'utf8').includes('function loadAppModule('),
    );
    const { stdout, stderr } = run(`
      const file = ${JSON.stringify(`./${chunk}`)};
      const load = Object.values(await import(file)).find((one) => one?.name === 'loadAppModule');
      const { EdgeError } = await import('./contract.index.mjs');
      const app = load(${JSON.stringify(join(root, 'apps', 'turtlebot-maze'))}, 'index.ts');
      try { load('/', 'missing.ts'); } catch (error) { console.log(Object.keys(app).includes('flow'), error instanceof EdgeError); }`);
    expect(stderr).toBe('');
    expect(stdout.trim()).toBe('true true');
  });
});
