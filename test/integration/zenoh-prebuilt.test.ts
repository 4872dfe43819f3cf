import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { zenohPeers } from '../support/zenoh.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'auraison-zenoh-prebuilt-'));
const platform = `${process.platform}-${process.arch}`;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function pack(...args: string[]) {
  const script = join(root, 'scripts/zenoh-prebuilt.mjs');
  return spawnSync(process.execPath, [script, '--out', folder, '--addon', zenohPeers().addon, ...args], {
    encoding: 'utf8',
  });
}

it('packs the driver; a host without compiler and cache takes it from the package', () => {
  const packed = pack();
  expect(packed.stderr).toBe('');
  const archive = packed.stdout.trim();
  expect(archive).toMatch(new RegExp(`auraison-zenoh-${platform}-\\d+\\.\\d+\\.\\d+\\.tgz$`));
  const name = `@auraison/zenoh-${platform}`;
  const installed = join(folder, 'node_modules', name);
  mkdirSync(installed, { recursive: true });
  spawnSync('tar', ['-xzf', archive, '-C', installed, '--strip-components=1']);
  const loader = JSON.stringify(join(root, 'adapters/zenoh/native-loader.ts'));
  const code = `import(${loader}).then((m) => console.log(JSON.stringify(m.reportZenohDriver())))`;
  const run = spawnSync(process.execPath, ['-e', code], {
    encoding: 'utf8',
    env: { PATH: '', HOME: folder, NODE_PATH: join(folder, 'node_modules') },
  });
  expect(JSON.parse(run.stdout)).toMatchObject({
    driver: 'native',
    why: `package ${name}`,
    path: join(installed, 'auraison-zenoh.node'),
  });
});

it('refuses to pack a library of another machine, or for a platform that has no package', () => {
  const other = platform === 'linux-x64' ? 'linux-arm64' : 'linux-x64';
  expect(pack('--platform', other)).toMatchObject({
    status: 1,
    stderr: expect.stringContaining(`no library for ${other}`),
  });
  expect(pack('--platform', 'plan9-mips').stderr).toContain('no package is laid out for plan9-mips');
});
