import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { processOf } from '../../daemon/compose/cell-flags.ts';
import type { Settings } from '../../daemon/settings.ts';

const ALLOCATOR = pathToFileURL(join(import.meta.dirname, '../../daemon/cell/allocator.ts')).href;
const config = { zenoh: { enabled: true }, controllers: [], control: { real_time: 0 } };
const envOf = (name: Parameters<typeof processOf>[0]) =>
  processOf(name, config as unknown as Settings['config']).env ?? {};
const limits = (env: object) => Object.keys(env).filter((name) => name.startsWith('MALLOC_'));

describe('the limits of the allocator', () => {
  it('are those of cells that do not carry the robot', () => {
    for (const name of ['runtime', 'memory', 'link'] as const) expect(limits(envOf(name))).toHaveLength(3);
    expect(limits(envOf('execution'))).toEqual([]);
  });

  it('are not inherited by the programs that a cell starts; what the operator set for them is', () => {
    const code = `
      import { spawnSync } from 'node:child_process';
      import { forgetAllocator } from '${ALLOCATOR}';
      forgetAllocator(process.env);
      process.stdout.write(spawnSync('env', { encoding: 'utf8' }).stdout);`;
    const env = { ...process.env, ...envOf('runtime'), MALLOC_ARENA_MAX: '7' };
    const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
    const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout.split('\n').filter((line) => line.startsWith('MALLOC_'))).toEqual(['MALLOC_ARENA_MAX=7']);
  });
});
