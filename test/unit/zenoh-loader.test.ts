import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { WIRE_VERSION } from '../../adapters/zenoh/native-batch.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { loadNative, nativeSourceHash, reportZenohDriver } from '../../adapters/zenoh/native-loader.ts';

const empty = mkdtempSync(join(tmpdir(), 'auraison-zenoh-'));
const script = join(import.meta.dirname, '../peers/zenoh.sh');
afterAll(() => rmSync(empty, { recursive: true, force: true }));

it('says where it looked and what to do when there is no driver', () => {
  const env = { AURAISON_CACHE: empty };
  const refused = expect.objectContaining({
    code: 'zenoh.unavailable',
    message: expect.stringMatching(
      /package @auraison\/zenoh-.*: not installed; build cache [0-9a-f]{16}: not there/,
    ),
    hint: expect.stringContaining('auraison zenoh build'),
  });
  expect(() => loadNative(env)).toThrow(refused);
  expect(reportZenohDriver(env)).toMatchObject({ driver: 'none', path: undefined, version: undefined });
});

it('takes an explicit path as final, and names it when it is wrong', () => {
  const env = { AURAISON_ZENOH_NATIVE: join(empty, 'missing.node') };
  expect(reportZenohDriver(env).why).toMatch(/^AURAISON_ZENOH_NATIVE: not there/);
  const broken = join(empty, 'broken.node');
  writeFileSync(broken, 'no library');
  expect(reportZenohDriver({ AURAISON_ZENOH_NATIVE: broken }).why).toMatch(/^AURAISON_ZENOH_NATIVE: .+/);
});

it('refuses a driver with another batch layout', () => {
  const fake = join(empty, 'other.cjs');
  writeFileSync(fake, 'exports.version = () => ({ addon: "9", zenoh: "9", wire: 99 });');
  const { why } = reportZenohDriver({ AURAISON_ZENOH_NATIVE: fake });
  expect(why).toContain(`batch layout 99, but this daemon needs ${WIRE_VERSION}`);
});

it('opens nothing without a driver: a typed error, no crash', async () => {
  const fault = new Error('[config] bad');
  const native = {
    version: () => ({ addon: '', zenoh: '', wire: WIRE_VERSION }),
    openSession: () => Promise.reject(fault),
  };
  const opening = NativeKeySpace.open({ mode: 'peer' }, { clock: new SystemClock(), native });
  await expect(opening).rejects.toMatchObject({ code: 'config.invalid', message: 'bad' });
});

it('names the same build as the script, which says so when there is no cargo', () => {
  const bin = join(empty, 'bin');
  mkdirSync(bin);
  for (const tool of [
    'bash',
    'cat',
    'dirname',
    'find',
    'sort',
    'xargs',
    'sed',
    'sha256sum',
    'cut',
    'mkdir',
    'flock',
  ]) {
    const path = spawnSync('which', [tool], { encoding: 'utf8' }).stdout.trim();
    expect(path, tool).not.toBe('');
    symlinkSync(path, join(bin, tool));
  }
  const env = { PATH: bin, AURAISON_CACHE: empty, HOME: empty };
  const bash = join(bin, 'bash');
  const paths = spawnSync(bash, [script, 'paths'], { env, encoding: 'utf8' });
  expect(paths.stdout).toContain(`addon=${empty}/zenoh/${nativeSourceHash()}/auraison-zenoh.node`);
  const build = spawnSync(bash, [script, 'native'], { env, encoding: 'utf8' });
  expect(build.status).toBe(3);
  expect(build.stderr).toMatch(/cargo was not found/);
});
