// npm run check: format, lint, types (of the console too), tidy, schemas. One command, one answer.
// The steps run at once, since none uses all processors all the time; each prints when it has ended. Names of steps
// ("format", "types", "tidy") run only these.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { install, root } from './install.mjs';

const bin = (name) => join(root, 'node_modules', '.bin', name);
const STEPS = {
  format: ['format and lint', bin('biome'), ['check', '--error-on-warnings', '.']],
  types: ['types', bin('tsc'), ['-p', '.']],
  pages: ['types of the console', bin('tsc'), ['-p', 'console']],
  tidy: [
    'tidy',
    bin('vitest'),
    ['run', '--project', 'unit*', 'test/tidy.test.ts', 'test/unit/tidy-', 'test/golden'],
  ],
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in STEPS));
if (unknown.length > 0) {
  process.stderr.write(`unknown steps: ${unknown.join(', ')}; there are ${Object.keys(STEPS).join(', ')}\n`);
  process.exit(64);
}
await install('all', (text) => process.stderr.write(`${text}\n`));
const path = `${join(root, 'node_modules', `node-linux-${process.arch}`, 'bin')}:${process.env.PATH}`;

/** Resolves with whether the step passed. What it printed is shown in one piece. */
function run([name, command, args]) {
  const begin = Date.now();
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // The step writes to a pipe, and its output may still end at a terminal.
      env: { ...process.env, PATH: path, ...(process.stdout.isTTY ? { FORCE_COLOR: '1' } : {}) },
    });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => output.push(data));
    const end = (isOk, words = '') => {
      const seconds = ((Date.now() - begin) / 1000).toFixed(1);
      process.stdout.write(
        `${Buffer.concat(output)}${words}${isOk ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`,
      );
      resolve(isOk);
    };
    child.once('error', (error) => end(false, `${command}: ${error.message}\n`));
    child.once('close', (code) => end(code === 0));
  });
}

const passed = await Promise.all(
  (asked.length > 0 ? asked : Object.keys(STEPS)).map((name) => run(STEPS[name])),
);
process.exitCode = passed.every(Boolean) ? 0 : 1;
