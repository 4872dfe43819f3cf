// npm test: installs the peers that the tests need (says what and how long), then runs everything.
// npm run test:unit: the quick ones, which need none. Further arguments go to vitest.
import { spawn, spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stripVTControlCharacters } from 'node:util';
import { install, root } from './install.mjs';

const [what = 'all', ...rest] = process.argv.slice(2);
/** Where all that is said is kept too: set below, once it is known where. */
let kept;
const say = (text) => {
  process.stdout.write(`${text}\n`);
  if (kept !== undefined) appendFileSync(kept, `${stripVTControlCharacters(text)}\n`);
};
const begin = Date.now();
const seconds = await install('all', say);
if (seconds > 0) say(`packages installed in ${seconds.toFixed(1)} s`);

const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules', `node-linux-${process.arch}`, 'bin')}:${process.env.PATH}`,
  AURAISON_CACHE:
    process.env.AURAISON_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'auraison-edge'),
};

// Whoever sees only the end of it, or comes later, finds the whole there, and that of the run before.
if (what === 'all' && rest.length === 0) {
  kept = join(env.AURAISON_CACHE, 'npm-test.txt');
  mkdirSync(env.AURAISON_CACHE, { recursive: true });
  if (existsSync(kept)) renameSync(kept, join(env.AURAISON_CACHE, 'npm-test.1.txt'));
  writeFileSync(kept, '');
}

/** Tests on ROS take turns among themselves: they share the machine's DDS. The others meanwhile take theirs. */
const ROS_FILES = ['ros', 'routes', 'daemon-ros', 'daemon-intents-ros', 'bag-play-ros', 'inference-ros'];
/** Of the others, those that go into the lane of ROS, so that both end at about the same time. */
const MODEL_FILES = [
  ...['lerobot', 'policy-training', 'dataset', 'flywheel', 'wires', 'kills'],
  ...['models', 'engine', 'maze-real-model'],
];
const DISK_FILES = ['power-cut', 'bag-play'];
const FIRST_LANE = [...ROS_FILES, ...MODEL_FILES, ...DISK_FILES];
/** Physics, control and inference against the wall's clock: they have the machine for themselves, at the end. */
const ALONE = ['daemon-arm'];

/** What failed in a lane, and what it said first: told again at the end, since two lanes print at once. */
const failed = [];
if (what === 'all') await installPeers();
const vitest = join(root, 'node_modules', '.bin', 'vitest');
const REPORTERS = ['--reporter=default', `--reporter=${join(root, 'scripts', 'unfinished-reporter.mjs')}`];
const status = what === 'all' && rest.length === 0 ? await everything() : some();
for (const line of failed) say(line);
say(
  `${what === 'unit' ? 'unit tests' : 'all tests'}: ${status === 0 ? 'passed' : 'FAILED'} in ${((Date.now() - begin) / 1000).toFixed(0)} s`,
);
if (kept !== undefined) say(`all that was said: ${kept}`);
process.exit(status ?? 1);

/** What was asked for, in one go. */
function some() {
  const projects = what === 'unit' ? ['--project', 'unit'] : [];
  return spawnSync(vitest, ['run', ...REPORTERS, ...projects, ...rest], { cwd: root, stdio: 'inherit', env })
    .status;
}

/** The quick ones first; then two lanes side by side, since tests with real peers mostly wait for them; then some alone. */
async function everything() {
  const unit = await lane('unit', ['--project', 'unit']);
  const lanes = await Promise.all([
    lane('peers on ROS, models, policies and disks', ['--project', 'peers', ...inFolder(FIRST_LANE)]),
    lane('other peers', [
      '--project',
      'peers',
      ...[...FIRST_LANE, ...ALONE].map((name) => `--exclude=test/integration/${name}*`),
    ]),
  ]);
  const alone = await lane('by the clock', ['--project', 'peers', ...inFolder(ALONE)]);
  return [unit, ...lanes, alone].find((code) => code !== 0) ?? 0;
}

function inFolder(names) {
  return names.map((name) => `test/integration/${name}`);
}

function lane(name, args) {
  const started = Date.now();
  return new Promise((resolve) => {
    const child = spawn(vitest, ['run', ...REPORTERS, ...args], {
      cwd: root,
      env,
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
    child.on('error', () => resolve(127));
    child.on('close', (code) => {
      const seconds = ((Date.now() - started) / 1000).toFixed(0);
      say(`${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${seconds} s`);
      resolve(code ?? 1);
    });
  });
}

/** Two at a time: they download and compile by turns, and there may be no more than two cores. */
async function installPeers() {
  const folder = join(root, 'test', 'peers');
  const scripts = existsSync(folder)
    ? readdirSync(folder).filter((name) => name.endsWith('.sh') && !name.startsWith('lib'))
    : [];
  // The slow builds first.
  const order = ['ros.sh', 'zenoh.sh', 'zenohd.sh'];
  scripts.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  say(
    `peers for the tests, kept in ${env.AURAISON_CACHE}: ${scripts.map((name) => name.replace('.sh', '')).join(', ')}`,
  );
  const waiting = [...scripts];
  const failures = [];
  await Promise.all(
    [0, 1].map(async () => {
      for (let name = waiting.shift(); name; name = waiting.shift()) {
        const started = Date.now();
        const code = await runScript(join(folder, name), name.replace('.sh', ''));
        say(
          `peer ${name.replace('.sh', '')}: ${code === 0 ? 'ready' : `FAILED (exit ${code})`} after ${((Date.now() - started) / 1000).toFixed(0)} s`,
        );
        if (code !== 0) failures.push(name);
      }
    }),
  );
  if (failures.length > 0) {
    say(`cannot test without: ${failures.join(', ')}. npm run test:unit needs none of them.`);
    process.exit(1);
  }
  function rank(name) {
    const at = order.indexOf(name);
    return at < 0 ? order.length : at;
  }
}

function runScript(path, label) {
  return new Promise((resolve) => {
    const child = spawn('bash', [path], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const tail = [];
    const line = (text) => {
      for (const part of String(text).split('\n')) {
        if (part.trim() === '') continue;
        tail.push(part);
        if (tail.length > 60) tail.shift();
        // The scripts mark what people want to follow.
        if (part.startsWith(`${label}:`) || part.startsWith(`[${label}]`)) say(part);
      }
    };
    child.stdout.on('data', line);
    child.stderr.on('data', line);
    child.on('error', () => resolve(127));
    child.on('exit', (code) => {
      if (code !== 0) say(tail.map((part) => `[${label}] ${part}`).join('\n'));
      resolve(code ?? 1);
    });
  });
}
