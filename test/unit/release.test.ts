import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'release.mjs');
let folder: string;
let key: string;
let files: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  key = join(folder, 'release.key');
  files = join(folder, 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'edge.deb'), 'a package');
  writeFileSync(join(files, 'edge.tgz'), Buffer.alloc(3_000_000, 7));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) => spawnSync(process.execPath, [script, ...args], { encoding: 'utf8' });
const signed = () => {
  expect(run('new-key', key).status).toBe(0);
  expect(run('sign', files, '--key', key).stderr).toBe('');
};
const verified = () => run('verify', files, '--public-key', `${key}.pub`);

describe('a release', () => {
  it('is signed, and verified by this project and by stock tools', () => {
    signed();
    expect(statSync(key).mode & 0o777).toBe(0o600);
    expect(verified()).toMatchObject({ status: 0, stdout: '2 files are as they were signed\n' });
    const sums = spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
      cwd: files,
      encoding: 'utf8',
    });
    expect(sums.stdout).toBe('edge.deb: OK\nedge.tgz: OK\n');
    const args = ['pkeyutl', '-verify', '-pubin', '-inkey', `${key}.pub`, '-rawin', '-in', 'SHA256SUMS'];
    const openssl = spawnSync('openssl', [...args, '-sigfile', 'SHA256SUMS.sig'], {
      cwd: files,
      encoding: 'utf8',
    });
    expect(openssl.stdout).toContain('Verified Successfully');
  });

  it('is refused where a file was changed, taken away or added, by name', () => {
    signed();
    writeFileSync(join(files, 'edge.deb'), 'b package');
    rmSync(join(files, 'edge.tgz'));
    writeFileSync(join(files, 'more.deb'), '');
    const { status, stderr } = verified();
    expect(status).toBe(1);
    expect(stderr).toContain('edge.deb was changed; edge.tgz is missing; more.deb was not signed');
  });

  it('is refused where the sums are of somebody else', () => {
    signed();
    const sums = join(files, 'SHA256SUMS');
    writeFileSync(sums, readFileSync(sums, 'utf8').replace('edge.deb', 'edge.dev'));
    expect(verified().stderr).toContain('do not use these files');
    expect(run('sign', files, '--key', key).status).toBe(0);
    const other = join(folder, 'other');
    run('new-key', other);
    const { status, stderr } = run('verify', files, '--public-key', `${other}.pub`);
    expect(`${status} ${stderr}`).toMatch(
      /^1 release: .*SHA256SUMS.sig is not a signature of SHA256SUMS by .*other.pub/,
    );
  });

  it('says what is missing: signature, key, mode of the key, folder in place of a file', () => {
    signed();
    rmSync(join(files, 'SHA256SUMS.sig'));
    expect(verified().stderr).toContain('were not signed');
    expect(run('verify', files, '--public-key', join(files, 'edge.deb')).stderr).toContain(
      'is not a public Ed25519 key',
    );
    expect(run('new-key', key).stderr).toContain('is not replaced');
    writeFileSync(join(files, 'own.key'), readFileSync(key));
    expect(run('sign', files, '--key', key).stderr).toContain('own.key is a private key');
    rmSync(join(files, 'own.key'));
    mkdirSync(join(files, 'bundle'));
    expect(run('sign', files, '--key', key).stderr).toContain('pack it first');
    chmodSync(key, 0o644);
    expect(run('sign', files, '--key', key).stderr).toContain(`chmod 600 ${key}`);
    expect(run('sign', files).stderr).toContain('--key KEY is missing');
  });
});
