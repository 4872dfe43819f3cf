import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { contentFaults } from '../../daemon/compose/content-faults.ts';
import { hostFaults } from '../../daemon/config/on-host.ts';
import { readConfig } from '../../daemon/config.ts';
import { auraison, freshDir, ROOT } from '../support/daemon.ts';

/** What `auraison config check` finds on the host, beside what it finds in the file. */
const directory = freshDir('config-on-host');
afterAll(() => directory.remove());

function faultsOf(source: string) {
  const { config, faults } = readConfig(source, 'robot.toml', {});
  expect(faults).toEqual([]);
  return hostFaults(config, { source, file: 'robot.toml' }, {}).map(({ line, key, expected }) => ({
    ...{ line, key },
    expected,
  }));
}

async function contentsOf(source: string) {
  const { config, faults } = readConfig(source, 'robot.toml', {});
  expect(faults).toEqual([]);
  const found = await contentFaults(config, { source, file: 'robot.toml' });
  return found.map(({ line, key, expected }) => ({ line, key, expected }));
}

describe('the data directory', () => {
  it('is refused where it cannot be made, with its line', () => {
    expect(faultsOf('[daemon]\ndata_dir = "/proc/nope"\n')).toEqual([
      { line: 2, key: 'daemon.data_dir', expected: expect.stringContaining('/proc') },
    ]);
    const file = join(directory.path, 'file');
    writeFileSync(file, '');
    expect(faultsOf(`[daemon]\ndata_dir = "${file}/data"\n`)[0]!.expected).toContain('is a file');
  });

  it('may be made by the daemon, and the look leaves nothing behind', () => {
    const parent = join(directory.path, 'parent');
    mkdirSync(parent);
    expect(faultsOf(`[daemon]\ndata_dir = "${parent}/a/b"\n`)).toEqual([]);
    expect(readdirSync(parent)).toEqual([]);
  });
});

describe('files that the configuration names', () => {
  const secret = join(directory.path, 'token');
  writeFileSync(secret, 'secret\n', { mode: 0o600 });

  it('are right where they are there; credentials are of the unit', () => {
    expect(faultsOf(`[api]\ntoken_file = "${secret}"\n[link]\ntoken_file = "credential:central"\n`)).toEqual(
      [],
    );
  });

  it('are named with their lines where they are missing or open to others', () => {
    const open = join(directory.path, 'open');
    writeFileSync(open, 'secret\n', { mode: 0o644 });
    const source = [
      '[api]\ntoken_file = "/nowhere/token"',
      `[link]\ntoken_file = "${open}"`,
      '[[models]]\nname = "m"\nurl = "http://127.0.0.1:1/v1"\nmodel = "m"\napi_key_file = "/nowhere/key"',
    ].join('\n');
    expect(faultsOf(source)).toEqual([
      { line: 2, key: 'api.token_file', expected: 'a file that is there' },
      { line: 4, key: 'link.token_file', expected: expect.stringContaining('mode 644') },
      { line: 9, key: 'models[1].api_key_file', expected: 'a file that is there' },
    ]);
  });
});

describe('keys of applications', () => {
  it('are named with their line where they are missing or no keys', async () => {
    const junk = join(directory.path, 'junk.pem');
    writeFileSync(junk, 'no key');
    expect(await contentsOf('[apps]\ntrusted_keys = ["/nowhere/acme.pem"]\n')).toEqual([
      { line: 2, key: 'apps.trusted_keys', expected: expect.stringContaining('/nowhere/acme.pem') },
    ]);
    expect(await contentsOf(`[apps]\ntrusted_keys = ["${junk}"]\n`)).toEqual([
      { line: 2, key: 'apps.trusted_keys', expected: expect.stringContaining('Ed25519') },
    ]);
  });
});

describe('files that the daemon reads', () => {
  const path = (name: string) => join(directory.path, name);
  const policies = path('policies');
  mkdirSync(policies);
  writeFileSync(join(policies, 'site.cedar'), 'permit (principal, action, resource);\n');
  const { publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(path('key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(path('none.pem'), 'no key\n');
  writeFileSync(path('model.onnx'), 'x');

  it('are right where they are there', async () => {
    const source = `[policy]\ndir = "${policies}"\ngrant_keys = ["${path('key.pem')}"]\n[gate]\nurdf = "${ROOT}/sim/arm/ar4.urdf"\n[control]\nmodel = "${path('model.onnx')}"\n`;
    expect(faultsOf(source)).toEqual([]);
    expect(await contentsOf(source)).toEqual([]);
  });

  it.each([
    ['policy', 'dir', '"/nowhere/policies"', 'a folder that is there'],
    ['policy', 'dir', `"${path('none.pem')}"`, 'is not one'],
    ['policy', 'grants', '"/nowhere/grants"', 'a folder that is there'],
    ['policy', 'files', '["/nowhere/a.cedar"]', 'a file that is there'],
    ['policy', 'grant_keys', '["/nowhere/key.pem"]', 'a file that is there'],
    ['policy', 'grant_keys', `["${path('none.pem')}"]`, 'Ed25519'],
    ['gate', 'urdf', '"/nowhere/arm.urdf"', 'a file that is there'],
    ['gate', 'urdf', `"${policies}"`, 'is not one'],
    ['control', 'model', '"/nowhere/drive.onnx"', 'a file that is there'],
  ])('%s.%s = %s is told with its line', (section, key, value, expected) => {
    expect(faultsOf(`[${section}]\n${key} = ${value}\n`)).toEqual([
      { line: 2, key: `${section}.${key}`, expected: expect.stringContaining(expected) },
    ]);
  });

  it.each([
    ['a policy', 'site.cedar', 'permit (principal, action, resource) when { nonsense };\n', 'site.cedar:1'],
    ['an entity file', 'entities.json', '[{"uid": 5}]\n', 'entities.json'],
    ['an entity file that is no JSON', 'entities.json', '[', 'entities.json'],
    ['a policy that is no UTF-8', 'latin.cedar', Buffer.from([0xff, 0xfe]), 'latin.cedar'],
  ])('%s that the daemon would not take is told with its place', async (_what, file, text, place) => {
    const folder = path(`broken-${file}-${text.length}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'all.cedar'), 'permit (principal, action, resource);\n');
    writeFileSync(join(folder, file), text);
    expect(await contentsOf(`[policy]\ndir = "${folder}"\n`)).toEqual([
      { line: 2, key: 'policy.dir', expected: expect.stringContaining(place) },
    ]);
  });

  it('are told where they hold something else', async () => {
    expect(await contentsOf(`[gate]\nurdf = "${path('none.pem')}"\n`)).toEqual([
      { line: 2, key: 'gate.urdf', expected: expect.stringContaining('URDF') },
    ]);
  });
});

const HOMELESS = { HOME: '/proc/nope', XDG_CACHE_HOME: '', AURAISON_CACHE: '', NODE_COMPILE_CACHE: '' };
it('a home in which nothing can be made does not hold up the command line', () => {
  const began = performance.now();
  const { status, stdout } = auraison(['config', 'check'], { ...HOMELESS }, 30_000);
  expect([status, stdout]).toEqual([0, expect.stringContaining('correct')]);
  // It waited for ever before: what is bounded is the helper of this test.
  expect(performance.now() - began).toBeLessThan(30_000);
});
