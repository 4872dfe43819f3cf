// npm run check: format, lint, types, tidy, schemas. One command, one answer.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { install, root } from './install.mjs';

await install('all', (text) => process.stderr.write(`${text}\n`));
const bin = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['format and lint', bin('biome'), ['check', '--error-on-warnings', '.']],
  ['types', bin('tsc'), ['-p', '.']],
  ['tidy', bin('vitest'), ['run', '--project', 'unit', 'test/tidy.test.ts', 'test/golden']],
];
const path = `${join(root, 'node_modules', `node-linux-${process.arch}`, 'bin')}:${process.env.PATH}`;
let failed = 0;
for (const [name, command, args] of steps) {
  const begin = Date.now();
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PATH: path },
  });
  process.stdout.write(
    `${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((Date.now() - begin) / 1000).toFixed(1)} s)\n`,
  );
  if (status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
