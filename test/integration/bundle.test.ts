import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { contentFaults } from '../../scripts/bundle/contents.mjs';
import { freshDir } from '../support/daemon.ts';
import { debianPackage } from '../support/debian-package.ts';

const root = join(import.meta.dirname, '..', '..');

/** `npm run bundle`, as somebody makes it for a robot; then only what is in the folder is used. */
const directory = freshDir('bundle');
const out = join(directory.path, 'auraison-edge');
const SMALL = ['--width', '6', '--height', '6'];
afterAll(() => directory.remove());

const bundle = (...args: string[]) =>
  spawnSync(process.execPath, [join(root, 'scripts', 'bundle.mjs'), ...args], { encoding: 'utf8' });
/** Nothing of this checkout, of npm or of another Node is on the way. */
const onTheRobot = (...args: string[]) => run(out, ...args);
const run = (folder: string, ...args: string[]) =>
  spawnSync(join(folder, 'bin', 'auraison'), args, {
    cwd: '/',
    encoding: 'utf8',
    env: { HOME: directory.path, PATH: '/usr/bin:/bin', AURAISON_API_PORT: '0' },
  });

let account: { bytes: number; files: number };

// Once for all: making it is the larger part of this file's time.
beforeAll(() => {
  const made = bundle('--out', out, '--json');
  expect(made.status, made.stderr).toBe(0);
  account = JSON.parse(made.stdout);
}, 600_000);

describe('a bundle for a robot', () => {
  it('has less than 350 MB of files, and anybody may read it', () => {
    console.log(`${account.files} files, ${(account.bytes / 1e6).toFixed(1)} MB`);
    expect(account.bytes).toBeLessThan(350e6);
    expect(statSync(out).mode & 0o777).toBe(0o755);
  });

  it('has no binary of another processor, no headers, source maps or declarations', () => {
    expect(contentFaults(out, process.arch)).toEqual([]);
  });

  it('runs the main job alone', { timeout: 300_000 }, () => {
    const { status, stdout, stderr } = onTheRobot(
      ...['demo', '--once', '--json', '--seed', '3', ...SMALL, '--data-dir', join(directory.path, 'data')],
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({ reached: true, dropped: 0 });
  });

  it('runs it also where npm puts it, below a node_modules', { timeout: 300_000 }, () => {
    const place = join(directory.path, 'lib', 'node_modules', 'auraison-edge');
    mkdirSync(join(place, '..'), { recursive: true });
    expect(spawnSync('cp', ['-al', out, place]).status).toBe(0);
    const data = join(directory.path, 'data-npm');
    const { status, stdout, stderr } = run(
      place,
      ...['demo', '--once', '--json', '--seed', '3', ...SMALL, '--data-dir', data],
    );
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({ reached: true, dropped: 0 });
    rmSync(join(directory.path, 'lib'), { recursive: true });
  });

  it('proves its files', () => {
    const check = () => spawnSync('sha256sum', ['--check', '--quiet', 'SHA256SUMS'], { cwd: out });
    expect(check().status).toBe(0);
    const file = join(out, 'package.json');
    const before = readFileSync(file);
    writeFileSync(file, `${before} `);
    expect(check().status).toBe(1);
    writeFileSync(file, before);
  });

  it('replaces no folder of somebody, and a bundle only when it is asked to', () => {
    expect(bundle('--out', out)).toMatchObject({ status: 1, stderr: expect.stringContaining('--force') });
    const other = join(directory.path, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'precious'), '');
    expect(bundle('--out', other, '--force').stderr).toContain('is not empty and no bundle');
    expect(existsSync(join(other, 'precious'))).toBe(true);
    expect(bundle().stderr).toContain('--out DIR is missing');
    rmSync(other, { recursive: true });
  });
});

describe('a Debian package of the bundle', () => debianPackage(directory.path, out));
