// npm start: install what is missing, then run the main job. See bin/auraison for everything else.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { install, ownNode, root } from './install.mjs';
import { packedCheckout } from './pack/checkout.mjs';

/** Node's recursive mkdir, and with it the cache of its compiler, never ends where no folder can be made (below /proc). */
function canMake(path) {
  if (existsSync(path)) return true;
  try {
    if (dirname(path) !== path && !canMake(dirname(path))) return false;
    mkdirSync(path);
    return true;
  } catch {
    return false;
  }
}

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
const compiled = join(cache, 'node-compile');
const packed = await packedCheckout(say);
const command = packed === undefined ? join(root, 'cli', 'entry.ts') : join(packed, 'cli.entry.mjs');
const child = spawn(ownNode(), ['--disable-warning=ExperimentalWarning', command, 'demo', ...args], {
  stdio: 'inherit',
  env: {
    ...(canMake(compiled) ? { NODE_COMPILE_CACHE: compiled } : {}),
    ...process.env,
    // ONNX Runtime sends events to its maker otherwise.
    ORT_DISABLE_TELEMETRY: '1',
  },
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
