// Which tests run in one process of vitest (a lane), and how it runs.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { root } from '../install.mjs';
import { inTwo } from './heavy.mjs';
import { secondsOfFiles } from './seconds.mjs';
import { PEER_WORKERS } from './workers.mjs';

/** Physics, control and inference against the wall's clock: they have the machine for themselves, at the end. */
const ALONE = ['test/integration/daemon-arm'];

export const vitest = join(root, 'node_modules', '.bin', 'vitest');
export const REPORTERS = [
  '--reporter=default',
  `--reporter=${join(root, 'scripts', 'testing', 'file-reporter.mjs')}`,
];

/** The quick tests. `run` is `runLane` with its surroundings. */
export function runUnit(run) {
  return run('unit', ['--project', 'unit*']);
}

/** The tests with real peers: the heavy ones, one at a time, beside the others; then some alone. */
export async function runWithPeers(run) {
  const [first, second] = inTwo(peerFiles(), secondsOfFiles());
  const light = PEER_WORKERS - 1;
  const heavyEnv = { TEST_PEER_WORKERS: '1', TEST_WORKER_OFFSET: `${light}` };
  const lanes = await Promise.all([
    run('heavy', ['--project', 'peers', ...first], heavyEnv),
    run('peers', ['--project', 'peers', ...second], { TEST_PEER_WORKERS: `${light}` }),
  ]);
  return [...lanes, await run('by the clock', ['--project', 'peers', ...ALONE])];
}

/** All files of tests with peers but those that run alone, from the root. */
export function peerFiles() {
  return ['test/integration', 'test/simulation'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `${folder}/${name}`)
      .filter((path) => !ALONE.some((alone) => path.startsWith(alone))),
  );
}

/** One vitest process; its lines go to `say`, its first words of each failure to `failed`. */
export function runLane({ env, say, failed }, name, args, more = {}) {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'auraison-tests-'));
  const report = join(folder, 'report.json');
  return new Promise((resolve) => {
    const child = spawn(vitest, ['run', ...REPORTERS, ...args], {
      cwd: root,
      env: { ...env, ...more, TEST_REPORT_FILE: report },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Whole lines, so that the first words of a failure are found.
    for (const stream of [child.stdout, child.stderr]) {
      let before = '';
      createInterface({ input: stream }).on('line', (line) => {
        say(line);
        const text = stripVTControlCharacters(line).trim();
        if (text.startsWith('FAIL ') && !failed.includes(text)) failed.push(text);
        else if (before.startsWith('FAIL ') && text !== '') failed.push(`  ${text.slice(0, 400)}`);
        before = text;
      });
    }
    const end = (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      say(`${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
      resolve({ name, code, report: readReport(report) });
      rmSync(folder, { recursive: true, force: true });
    };
    child.on('error', () => end(127));
    child.on('close', (code) => end(code ?? 1));
  });
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
