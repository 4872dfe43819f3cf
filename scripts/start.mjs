// npm start: install what is missing, then run the main job. See bin/auraison for everything else.
import { spawn } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { install, ownNode, root } from './install.mjs';

const args = process.argv.slice(2);
const say = (text) => process.stderr.write(`${text}\n`);
try {
  const seconds = await install('run', say);
  if (seconds > 0) say(`installed in ${seconds.toFixed(1)} s`);
} catch (error) {
  say(`auraison: ${error.message}`);
  process.exit(1);
}
// Transpiled sources are kept: starts are faster and processes half as large.
const cache =
  process.env.AURAISON_CACHE ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'auraison-edge');
const child = spawn(
  ownNode(),
  ['--disable-warning=ExperimentalWarning', join(root, 'cli', 'main.ts'), 'demo', ...args],
  { stdio: 'inherit', env: { NODE_COMPILE_CACHE: join(cache, 'node-compile'), ...process.env } },
);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
