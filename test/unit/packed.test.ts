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

  it('know one class of error, also that which the code of a package imports', () => {
    const { stdout } = run(
      `const { EdgeError } = await import('./contract.index.mjs'); console.log(EdgeError.from(new EdgeError('internal.fault', { operation: 'a', subject: 'b' }), 'internal.fault', 'x', 'y').operation);`,
    );
    expect(stdout.trim()).toBe('a');
  });

  it('hand that contract to the code of a package, whatever folder they lie in', () => {
    const link = readFileSync(join(folder, 'contract.index.mjs'), 'utf8');
    expect(link).toContain('EdgeError');
    const chunk = readdirSync(folder).find((name) =>
      readFileSync(join(folder, name), 'utf8').includes('function loadAppModule('),
    );
    const maze = join(root, 'apps', 'turtlebot-maze');
    const { stdout, stderr } = run(
      `const file = ${JSON.stringify(`./${chunk}`)}; const m = await import(file); const load = Object.values(m).find((v) => v?.name === 'loadAppModule'); console.log(Object.keys(load(${JSON.stringify(maze)}, 'index.ts')).join());`,
    );
    expect(stderr).toBe('');
    expect(stdout).toContain('flow');
  });
});
