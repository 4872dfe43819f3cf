// Which test files run beside which, and how one lane of them runs.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { root } from '../install.mjs';

/** Tests on ROS take turns among themselves: they share the machine's DDS. The others meanwhile take theirs. */
const ROS_FILES = ['ros', 'routes', 'daemon-ros', 'daemon-intents-ros', 'bag-play-ros', 'inference-ros'];
/** Of the others, those that go into the lane of ROS, so that both end at about the same time. */
const MODEL_FILES = [
  ...['lerobot', 'policy-training', 'dataset', 'flywheel', 'wires', 'kills'],
  ...['models', 'engine', 'maze-real-model'],
];
const DISK_FILES = ['power-cut', 'bag-play'];
/** The longest of the simulations, which make up the other lane. */
const LONG_FILES = ['test/simulation/takeover'];
const FIRST_LANE = [...inFolder([...ROS_FILES, ...MODEL_FILES, ...DISK_FILES]), ...LONG_FILES];
/** Physics, control and inference against the wall's clock: they have the machine for themselves, at the end. */
const ALONE = ['daemon-arm'];

export const vitest = join(root, 'node_modules', '.bin', 'vitest');
export const REPORTERS = [
  '--reporter=default',
  `--reporter=${join(root, 'scripts', 'testing', 'file-reporter.mjs')}`,
];

/**
 * The quick tests first; then two lanes side by side, since tests with real peers mostly wait for them; then some
 * alone. `run` is `runLane` with its surroundings.
 */
export async function runEverything(run) {
  const unit = await run('unit', ['--project', 'unit']);
  const lanes = await Promise.all([
    run('peers on ROS, models, policies and disks', ['--project', 'peers', ...FIRST_LANE]),
    run('other peers', [
      '--project',
      'peers',
      ...[...FIRST_LANE, ...inFolder(ALONE)].map((path) => `--exclude=${path}*`),
    ]),
  ]);
  const alone = await run('by the clock', ['--project', 'peers', ...inFolder(ALONE)]);
  return [unit, ...lanes, alone];
}

function inFolder(names) {
  return names.map((name) => `test/integration/${name}`);
}

/** One vitest process; its lines go to `say`, its first words of each failure to `failed`. */
export function runLane({ env, say, failed }, name, args) {
  const started = Date.now();
  const folder = mkdtempSync(join(tmpdir(), 'auraison-tests-'));
  const report = join(folder, 'report.json');
  return new Promise((resolve) => {
    const child = spawn(vitest, ['run', ...REPORTERS, ...args], {
      cwd: root,
      env: { ...env, TEST_REPORT_FILE: report },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // Whole lines: two lanes print at once.
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
