// npm run bench: every bench/*.ts in turn, never two at once. Names choose some; --json prints one object;
// what comes after -- goes to the benches. Each prints its peers, the machine's limit and the ratios itself.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { basename, join } from 'node:path';
import { install, ownNode, root } from './install.mjs';

const args = process.argv.slice(2);
const cut = args.includes('--') ? args.indexOf('--') : args.length;
const passed = args.slice(cut + 1);
const json = args.slice(0, cut).includes('--json');
const wanted = args.slice(0, cut).filter((arg) => !arg.startsWith('-'));
await install('all', (text) => process.stderr.write(`${text}\n`));

const folder = join(root, 'bench');
const benches = readdirSync(folder)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => basename(name, '.ts'))
  .sort();
const strangers = wanted.filter((name) => !benches.includes(name));
if (strangers.length > 0) {
  process.stderr.write(`no such bench: ${strangers.join(', ')}; there are ${benches.join(', ')}\n`);
  process.exit(2);
}

const results = {};
let failed = 0;
for (const name of wanted.length > 0 ? wanted : benches) {
  const begin = Date.now();
  process.stderr.write(`bench ${name}, load average ${loadavg()[0].toFixed(1)}\n`);
  const { status, stdout } = spawnSync(
    ownNode(),
    [
      '--disable-warning=ExperimentalWarning',
      join(folder, `${name}.ts`),
      ...(json ? ['--json'] : []),
      ...passed,
    ],
    { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 },
  );
  const seconds = (Date.now() - begin) / 1000;
  if (status !== 0) {
    failed++;
    process.stdout.write(stdout);
    process.stderr.write(`bench ${name} FAILED after ${seconds.toFixed(0)} s\n`);
  } else if (json) {
    results[name] = { seconds, ...JSON.parse(stdout.trim().split('\n').at(-1)) };
  } else {
    process.stdout.write(`${stdout}\n`);
  }
}
if (json) process.stdout.write(`${JSON.stringify(results)}\n`);
process.exit(failed === 0 ? 0 : 1);
