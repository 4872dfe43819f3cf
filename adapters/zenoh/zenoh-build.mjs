// Builds the native Zenoh driver into the cache, with progress. `node adapters/zenoh/zenoh-build.mjs`, or
// `auraison zenoh build`. Plain JavaScript: it runs under any Node >= 20, before anything is installed.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const TICK_MS = 10_000;

/**
 * Resolves to the path of the driver when it is there; `say` gets what happens. Rejects with a sentence and an
 * `exitCode`: 3 without a usable cargo.
 */
export function buildZenohDriver(say, env = process.env) {
  const begin = Date.now();
  const crates =
    readFileSync(join(root, 'adapters/zenoh/native/Cargo.lock'), 'utf8').split('[[package]]').length - 1;
  return new Promise((resolve, reject) => {
    const child = spawn('bash', [join(root, 'test/peers/zenoh.sh'), 'native'], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...env, AURAISON_CARGO_FLAGS: '--color=never' },
    });
    let compiled = 0;
    let path;
    const others = [];
    const seconds = () => Math.round((Date.now() - begin) / 1000);
    const ticker = setInterval(() => {
      // Not all crates of the lock file are for this platform; the last step, linking, is the longest.
      const part = compiled === 0 ? '' : `, ${Math.min(compiled, crates)} of about ${crates} crates started`;
      say(`  ... ${seconds()} s${part}`);
    }, TICK_MS);
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (/^\s*(Compiling|Downloaded|Checking) /.test(line)) compiled += 1;
      else if (line.startsWith('[')) {
        say(line);
        path = /(\/\S*auraison-zenoh\.node)/.exec(line)?.[1] ?? path;
      } else if (others.push(line) > 50) others.shift();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearInterval(ticker);
      if (code === 0) return resolve({ path, seconds: seconds() });
      const why =
        code === 3 ? 'Rust is missing or too old' : `the build ended with ${code}\n${others.join('\n')}`;
      reject(
        Object.assign(new Error(`the native Zenoh driver was not built: ${why}`), { exitCode: code ?? 1 }),
      );
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const say = (text) => process.stderr.write(`${text}\n`);
  try {
    const { seconds } = await buildZenohDriver(say);
    say(`done in ${seconds} s`);
  } catch (error) {
    say(error.message);
    process.exit(error.exitCode ?? 1);
  }
}
