import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostFaults } from '../../daemon/config/on-host.ts';
import { readConfig } from '../../daemon/config.ts';
import { freshDir } from '../support/daemon.ts';

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
