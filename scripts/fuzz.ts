/**
 * Everything that reads untrusted input, against mutated input: nothing may crash, hang or throw anything but a
 * typed error. `npm run fuzz -- --cases 1000000 --seed 7`. A finding is saved; `--replay FILE` runs it again.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { caseOf, findingOf, prepare, TARGETS } from '../bench/fuzz/cases.ts';

/** A case that is not over by then hangs, milliseconds; the slowest honest ones take some tens. */
const HANG_MS = 10_000;
/** Of the process: what the limits of the house allow one file, and the rest. */
const RSS_MAX = 1_500_000_000;
const LOOK_MS = 250;

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    only: { type: 'string', default: '' },
    out: { type: 'string', default: join(tmpdir(), 'auraison-fuzz') },
    replay: { type: 'string' },
  },
});

type Saved = {
  readonly target: string;
  readonly seed: number;
  readonly index: number;
  readonly input: string;
  readonly finding: string;
};

if (values.replay === undefined) process.exitCode = await fuzz();
else process.exitCode = await replay(values.replay);

async function replay(file: string): Promise<number> {
  const saved = JSON.parse(readFileSync(file, 'utf8')) as Saved;
  const target = TARGETS.find(({ name }) => name === saved.target);
  if (!target) throw new Error(`there is no target ${saved.target}`);
  await prepare();
  const finding = await findingOf({ target, input: Buffer.from(saved.input, 'base64') });
  process.stdout.write(`${saved.target}: ${finding ?? 'no longer wrong'}\n`);
  return finding === undefined ? 0 : 1;
}

async function fuzz(): Promise<number> {
  const cases = Number(values.cases);
  const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (!(cases >= 1) || !Number.isSafeInteger(seed)) throw new Error('--cases and --seed are whole numbers');
  process.stdout.write(`fuzz: ${cases} cases, seed ${seed}\n`);
  await prepare();
  const begun = performance.now();
  const files: string[] = [];
  let from = 0;
  let summary = { slowest: -1, slowestMs: 0 };
  const counts: Record<string, number> = {};
  while (from < cases) {
    const outcome = await stretch(seed, from, cases, files);
    if (outcome.summary.slowestMs > summary.slowestMs) summary = outcome.summary;
    for (const [name, count] of Object.entries(outcome.counts)) counts[name] = (counts[name] ?? 0) + count;
    from = outcome.next;
  }
  const seconds = (performance.now() - begun) / 1000;
  for (const [name, count] of Object.entries(counts)) process.stdout.write(`  ${name.padEnd(16)} ${count}\n`);
  process.stdout.write(
    `${cases} cases in ${seconds.toFixed(1)} s, ${Math.round(cases / seconds)} per second; slowest ${summary.slowestMs.toFixed(0)} ms (case ${summary.slowest}); findings: ${files.length}\n`,
  );
  for (const file of files) process.stdout.write(`  npm run fuzz -- --replay ${file}\n`);
  return files.length === 0 ? 0 : 1;
}

type Outcome = {
  next: number;
  counts: Record<string, number>;
  summary: { slowest: number; slowestMs: number };
};

/** Cases up to the end, or up to one that hung or killed its thread: the next stretch starts behind it. */
function stretch(seed: number, from: number, to: number, files: string[]): Promise<Outcome> {
  const at = new SharedArrayBuffer(4);
  const place = new Int32Array(at);
  place[0] = from;
  const only = values.only;
  const worker = new Worker(new URL('../bench/fuzz/worker-main.ts', import.meta.url), {
    workerData: { seed, from, to, only, at },
  });
  const targets = only === '' ? TARGETS : TARGETS.filter(({ name }) => name.startsWith(only));
  return new Promise((resolve) => {
    let last = { index: from, since: performance.now() };
    let outcome: Outcome = { next: to, counts: {}, summary: { slowest: -1, slowestMs: 0 } };
    let isOver = false;
    const end = (next: Outcome) => {
      if (isOver) return;
      isOver = true;
      clearInterval(watch);
      void worker.terminate().then(() => resolve(next));
    };
    const died = (why: string) => {
      const index = Atomics.load(place, 0);
      files.push(save(seed, index, why, targets));
      end({ ...outcome, next: index + 1 });
    };
    const watch = setInterval(() => {
      const index = Atomics.load(place, 0);
      if (index !== last.index) last = { index, since: performance.now() };
      else if (performance.now() - last.since > HANG_MS) died(`hangs: not over after ${HANG_MS} ms`);
      if (process.memoryUsage.rss() > RSS_MAX) died(`takes memory: ${process.memoryUsage.rss()} bytes`);
    }, LOOK_MS);
    worker.on(
      'message',
      (
        message: { t: string; index: number; finding: string } & Outcome['summary'] & {
            counts: Record<string, number>;
          },
      ) => {
        if (message.t === 'finding') files.push(save(seed, message.index, message.finding, targets));
        else {
          outcome = { next: to, counts: message.counts, summary: message };
          end(outcome);
        }
      },
    );
    worker.on('error', (error) => died((error as Error).stack ?? String(error)));
    worker.on('exit', (code) => {
      if (!isOver) died(`ended its thread with code ${code}`);
    });
  });
}

function save(seed: number, index: number, finding: string, targets: typeof TARGETS): string {
  const { target, input } = caseOf(seed, index, targets);
  mkdirSync(values.out, { recursive: true });
  const file = join(values.out, `${target.name}-${seed}-${index}.json`);
  const saved: Saved = {
    target: target.name,
    seed,
    index,
    input: Buffer.from(input).toString('base64'),
    finding,
  };
  writeFileSync(file, `${JSON.stringify(saved, null, 1)}\n`);
  process.stdout.write(
    `FINDING ${target.name}, case ${index}: ${finding.split('\n').slice(0, 4).join(' | ')}\n`,
  );
  return file;
}
