import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const REPOSITORY = join(import.meta.dirname, '..', '..');
let folder: string;
let home: string;
let temporary: string;
let dataDir: string;
let auraison: string;

/** `bin/auraison` where npm installs it for all, beside a Node that only says from where it was started. */
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'cli-installed-')));
  home = join(folder, 'home');
  temporary = join(folder, 'tmp');
  dataDir = join(folder, 'data');
  const own = join(folder, 'node_modules', 'auraison-edge');
  auraison = join(own, 'bin', 'auraison');
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const node = join(own, 'node_modules', `node-linux-${arch}`, 'bin', 'node');
  for (const directory of [home, temporary, join(dataDir, 'run'), dirname(auraison), dirname(node)])
    mkdirSync(directory, { recursive: true });
  copyFileSync(join(REPOSITORY, 'bin', 'auraison'), auraison);
  writeFileSync(node, '#!/bin/sh\nprintf "%s\\n" "$0" "$NODE_COMPILE_CACHE"\n');
  for (const program of [auraison, node]) chmodSync(program, 0o755);
  writeFileSync(join(dataDir, 'run', 'api.json'), JSON.stringify({ pid: process.pid }));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(env: Readonly<Record<string, string>>, args: readonly string[] = []) {
  const { status, stdout, stderr } = spawnSync(auraison, [...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH']!, TMPDIR: temporary, ...env },
  });
  const [node = '', compiled = ''] = stdout.split('\n');
  return { status, node, compiled, stdout, stderr };
}

describe('auraison below node_modules', () => {
  it('starts by a link in its cache, and uses it again', () => {
    const cache = join(home, '.cache', 'auraison-edge');
    const first = run({ HOME: home });
    expect(first.node).toMatch(new RegExp(`^${cache}/installed/`));
    expect(first.compiled).toBe(join(cache, 'node-compile'));
    expect(run({ HOME: home })).toEqual(first);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it.each([
    ['a cache that cannot be written', () => ({ HOME: home, AURAISON_CACHE: '/dev/null/cache' })],
    ['no home folder', () => ({})],
  ])('starts by a private link with %s', (_, env) => {
    const { node, compiled, stderr } = run(env());
    expect(stderr).toBe('');
    expect(node).toMatch(new RegExp(`^${temporary}/`));
    expect(lstatSync(join(temporary, readdirSync(temporary)[0]!)).mode & 0o777).toBe(0o700);
    expect(compiled).toBe('');
  });

  it('replaces nothing that lies at the place of the link', () => {
    const { node } = run({ HOME: home });
    const link = node.slice(0, node.indexOf('/node_modules/'));
    rmSync(link);
    mkdirSync(link);
    writeFileSync(join(link, 'kept'), '');
    expect(run({ HOME: home }).node).toMatch(new RegExp(`^${temporary}/`));
    expect(readdirSync(link)).toEqual(['kept']);
  });

  it.skipIf(process.getuid?.() !== 0)('follows no link in a folder of another user', () => {
    run({ HOME: home });
    chownSync(join(home, '.cache', 'auraison-edge', 'installed'), 12345, 12345);
    expect(run({ HOME: home }).node).toMatch(new RegExp(`^${temporary}/`));
  });

  it('stops the robot by the file where no link can be made', () => {
    const nowhere = { HOME: home, AURAISON_CACHE: '/dev/null/cache', TMPDIR: '/dev/null' };
    const file = join(dataDir, 'estop');
    const { status, stdout, stderr } = run(nowhere, ['estop', 'engage', '--data-dir', dataDir]);
    expect([status, stdout]).toEqual([0, `engaged by the file ${file}: it holds until it is released\n`]);
    expect(stderr).toMatch('cannot make a link');
    expect(readFileSync(file, 'utf8')).toBe('asked for on the command line\n');
    // Whether the file there works is not known to a shell that did not write it.
    expect(run(nowhere, ['estop', 'engage', '--data-dir', dataDir]).status).toBe(1);
    renameSync(file, `${file}.away`);
    expect(run(nowhere, ['status'])).toMatchObject({ status: 1, stdout: '' });
  });
});
