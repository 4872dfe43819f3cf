import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

/** Single keys of a configuration file that is not right as a whole. */
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'config-set-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function config(text: string, ...args: string[]) {
  const file = join(dir, 'robot.toml');
  writeFileSync(file, text);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['cli/main.ts', '--config', file, '--data-dir', dir, 'config', ...args],
    { encoding: 'utf8', env: { ...process.env, NODE_NO_WARNINGS: '1' } },
  );
  return { status, stdout, stderr, after: readFileSync(file, 'utf8') };
}
const TWO_FAULTS = '[lease]\nttl = 3\n# the port\n[api]\nport = "many"\n';

it('mends one key beside another fault, which it names, and the last one', () => {
  const first = config(TWO_FAULTS, 'set', 'lease.ttl', '3 s');
  expect(first).toMatchObject({
    status: 1,
    stdout: expect.stringContaining('lease.ttl is set; the daemon takes the file when the rest is right too'),
    stderr: expect.stringMatching(/still wrong: .*robot\.toml:5: api\.port = "many"/),
    after: TWO_FAULTS.replace('ttl = 3', 'ttl = "3 s"'),
  });
  const last = config(first.after, 'set', 'api.port', '7700');
  expect(last).toMatchObject({ status: 0, stderr: '', stdout: expect.stringContaining('api.port is set') });
  expect(last.after).toContain('# the port');
});

it('removes a key that is wrong, and refuses a value that is wrong in whatever file', () => {
  const bare = { status: 0, stderr: '', after: '[api]\n' };
  expect(config('[api]\nport = "many"\n', 'unset', 'api.port')).toMatchObject(bare);
  expect(config('[api]\nprot = 1\n', 'unset', 'api.prot')).toMatchObject(bare);
  expect(config('[api]\nprot = 1\n', 'unset', 'api.toString')).toMatchObject({ status: 78 });
  const refused = config(TWO_FAULTS, 'set', 'lease.ttl', 'long');
  expect(refused).toMatchObject({ status: 78, after: TWO_FAULTS });
  expect(refused.stderr).toContain('lease.ttl = "long": expected');
});

it('says all of it as JSON', () => {
  const { stdout } = config(TWO_FAULTS, 'set', 'lease.ttl', '3 s', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ changed: true, faults: [{ key: 'api.port', line: 5 }] });
});
