// npm test: installs the peers that the tests need (says what and how long), then runs everything.
// npm run test:unit: the quick ones, which need none. Further arguments go to vitest.
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { install, root } from './install.mjs';
import { packedCheckout } from './pack/checkout.mjs';
import { REPORTERS, runLane, runUnit, runWithPeers, vitest } from './testing/lanes.mjs';
import { installPeers } from './testing/peers.mjs';
import { secondsOf } from './testing/seconds.mjs';
import { closingLines, failuresOf, REPEATED_FILES_MAX, verdictOf } from './testing/verdict.mjs';

const [what = 'all', ...rest] = process.argv.slice(2);
/** Where all output is kept too: set below, once the folder is known. */
let kept;
const say = (text) => {
  process.stdout.write(`${text}\n`);
  if (kept !== undefined) appendFileSync(kept, `${stripVTControlCharacters(text)}\n`);
};
const begin = Date.now();
const elapsedS = () => (Date.now() - begin) / 1000;
const seconds = await install('all', say);
if (seconds > 0) say(`packages installed in ${seconds.toFixed(1)} s`);

const env = {
  ...process.env,
  PATH: `${join(root, 'node_modules', `node-linux-${process.arch}`, 'bin')}:${process.env.PATH}`,
  AURAISON_CACHE:
    process.env.AURAISON_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'auraison-edge'),
  // Hundreds of processes load the same sources: each is compiled once. The folder goes with this checkout.
  NODE_COMPILE_CACHE:
    process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compiled-by-tests'),
};
// The same for Python: without its compiled modules a process that loads LeRobot takes 13 s of processor time, not 5.
delete env.PYTHONDONTWRITEBYTECODE;

// A reader who sees only the end, or comes later, finds the whole there, and that of the run before.
if (what === 'all' && rest.length === 0) {
  kept = join(env.AURAISON_CACHE, 'npm-test.txt');
  try {
    mkdirSync(env.AURAISON_CACHE, { recursive: true });
  } catch (error) {
    console.error(
      `the cache folder ${env.AURAISON_CACHE} cannot be made (${error.code}): set AURAISON_CACHE`,
    );
    process.exit(1);
  }
  if (existsSync(kept)) renameSync(kept, join(env.AURAISON_CACHE, 'npm-test.1.txt'));
  writeFileSync(kept, '');
}

// What users start is packed: so are the daemons and commands of the tests, which start hundreds of them.
if (what === 'all') {
  const packed = await packedCheckout(say);
  if (packed !== undefined) env.AURAISON_PACKED = packed;
}

process.exit(await (what === 'all' && rest.length === 0 ? everything() : some()));

/** What was asked for, in one go; nothing is repeated. */
async function some() {
  if (what === 'all' && missing(await installPeers(env, say))) return 1;
  const projects = what === 'unit' ? ['--project', 'unit*'] : [];
  const { status } = spawnSync(vitest, ['run', ...REPORTERS, ...projects, ...rest], {
    cwd: root,
    stdio: 'inherit',
    env,
  });
  say(
    `${what === 'unit' ? 'unit tests' : 'all tests'}: ${status === 0 ? 'passed' : 'FAILED'} in ${elapsedS().toFixed(0)} s`,
  );
  return status ?? 1;
}

/** Says which peers could not be installed, if there are any. */
function missing(peers) {
  if (peers.length === 0) return false;
  say(`cannot test without: ${peers.join(', ')}. npm run test:unit needs none of them.`);
  say(`0 passed, ${peers.length} failed`);
  return true;
}

/** All lanes; then each file that failed once more, with the machine for itself. */
async function everything() {
  // What failed and its first words: repeated at the end, since two lanes print at once.
  const failed = [];
  const run = (name, args, more) => runLane({ env, say, failed }, name, args, more);
  // The quick tests need no peers. On a fresh machine those are downloaded and built beside them.
  const [peers, unit] = await Promise.all([installPeers(env, say), runUnit(run)]);
  if (missing(peers)) return 1;
  const lanes = [unit, ...(await runWithPeers(run))];
  const { files } = failuresOf(lanes);
  const repeated = [];
  if (files.length > REPEATED_FILES_MAX) say(`${files.length} files failed: too many to repeat each alone`);
  else {
    for (const { project, file } of files) {
      say(`once more, alone: ${file}`);
      repeated.push(await run(file, ['--project', project, '--no-file-parallelism', file]));
    }
  }
  for (const line of failed) say(line);
  say(`all output: ${kept}`);
  writeFileSync(join(env.AURAISON_CACHE, 'npm-test-seconds.json'), secondsOf(lanes));
  const verdict = verdictOf(lanes, repeated);
  for (const line of closingLines(verdict, elapsedS())) say(line);
  return verdict.ok ? 0 : 1;
}
