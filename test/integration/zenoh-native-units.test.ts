import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { freshDir } from '../support/daemon.ts';

const SOURCES = join(import.meta.dirname, '..', '..', 'adapters', 'zenoh', 'native', 'src');
const rustc = spawnSync('rustc', ['--version']).status === 0;

/** Parts of the addon that need neither Zenoh nor Node are tested where they are, by Rust's own harness. */
it.skipIf(!rustc).each(['expectation', 'room'])('the addon: %s', (name) => {
  const directory = freshDir('zenoh-native-units');
  const binary = join(directory.path, name);
  execFileSync('rustc', ['--edition', '2021', '--test', join(SOURCES, `${name}.rs`), '-o', binary], {
    stdio: 'ignore',
  });
  expect(execFileSync(binary, { encoding: 'utf8' })).toMatch(/test result: ok\. [1-9]\d* passed; 0 failed/);
  directory.remove();
});
