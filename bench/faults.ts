import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RobotKind } from '../test/support/faults/bounds.ts';
import {
  type CampaignResult,
  campaign,
  faultsOf,
  merged,
  type Outcome,
  roundOf,
} from '../test/support/faults/campaign.ts';
import { faultCard } from '../test/support/faults/card.ts';
import { added, type Counts, noCounts, readCounts, writeCounts } from '../test/support/faults/counts.ts';
import { FAULTS, type Pace } from '../test/support/faults/faults.ts';
import type { Trial } from '../test/support/faults/trial.ts';
import { runVirtualTrial } from '../test/support/faults/virtual/run-trial.ts';

/**
 * Faults × motions × robots, drawn from a seed and judged by what the simulated robot wrote down itself. Ends with 1
 * where a command moved a robot after its bound, a takeover was lost, or a robot was faster than it may. See README.md.
 *
 * Usage: node bench/faults.ts [--trials N] [--seed S] [--pace virtual|real] [--robots base,arm,ros] [--faults LIST]
 *                             [--motions LIST] [--longest MS] [--minutes M] [--trial NUMBER] [--save FILE] [--slice N]
 *                             [--card FILE[,FILE]] [--json]
 * `--faults`: these only; a name up to a dot means all that start with it (`estop,policy.nan`). `--motions`: what moves the robot, or tries to, is
 * one of these (`mqtt,python`). `--trial`: this one alone,
 * with its record. `--save`: the counts are kept there after each slice; a file of the same plan is continued up to
 * `--trials`. `--slice`: so many trials in one process, for long runs. `--card`: writes docs/fault-card.md from the counts
 * of these files, and tries nothing.
 */
const { values: flags } = parseArgs({
  options: {
    trials: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    pace: { type: 'string', default: 'virtual' },
    robots: { type: 'string' },
    faults: { type: 'string' },
    motions: { type: 'string' },
    longest: { type: 'string' },
    minutes: { type: 'string', default: '600' },
    trial: { type: 'string' },
    save: { type: 'string' },
    slice: { type: 'string' },
    card: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const CARD = join(import.meta.dirname, '..', 'docs', 'fault-card.md');
const PROGRESS_EVERY = { virtual: 50, real: 5 } as const;
/** In a process of a slice: the number of its first trial. */
const SLICE_FROM = 'FAULTS_SLICE_FROM';

const pace: Pace = flags.pace === 'real' ? 'real' : 'virtual';
const robots = (flags.robots ?? (pace === 'real' ? 'base,ros' : 'base,arm')).split(',') as RobotKind[];
const only = flags.faults === undefined ? [] : flags.faults.split(',');
const motions = flags.motions === undefined ? [] : flags.motions.split(',');
const seed = Number(flags.seed);
const startedMs = performance.now();
const endMs = startedMs + Number(flags.minutes) * 60_000;
/** All that decides what a number means; the faults are named, since their list grows. */
const ids = faultsOf(pace, only, motions).map(({ id }) => id);
const plan = JSON.stringify([pace, robots, seed, flags.longest, ids, ...motions]);
const command = [
  ...['node bench/faults.ts', '--pace', pace, '--robots', robots.join(','), '--seed', seed],
  ...(flags.longest === undefined ? [] : ['--longest', flags.longest]),
  ...(only.length === 0 ? [] : ['--faults', only.join(',')]),
  ...(motions.length === 0 ? [] : ['--motions', motions.join(',')]),
].join(' ');

if (flags.card !== undefined) writeCard(flags.card.split(','));
else if (process.env[SLICE_FROM] !== undefined) await oneSlice(Number(process.env[SLICE_FROM]));
else if (flags.trial !== undefined)
  finish(added(noCounts(plan, command), await tryThem(Number(flags.trial), 1, true)));
else finish(await tryAll());

/** Slice by slice, the counts kept after each. */
async function tryAll(): Promise<Counts> {
  const trials = Number(flags.trials);
  const kept = flags.save === undefined ? undefined : readCounts(flags.save);
  if (kept && kept.plan !== plan)
    throw new Error(`${flags.save} holds the counts of another plan (${kept.command}); name another file`);
  let counts = kept ?? noCounts(plan, command);
  const slice = flags.slice === undefined ? trials : Number(flags.slice);
  process.stderr.write(
    `seed ${seed}, ${trials} trials, ${counts.trials} of them done before; a round is ${roundOf(pace, robots, only, motions)}\n`,
  );
  while (counts.trials < trials && performance.now() < endMs) {
    const count = Math.min(slice, trials - counts.trials);
    const result =
      flags.slice === undefined ? await tryThem(counts.trials, count) : await inProcess(counts.trials, count);
    counts = added(counts, result);
    if (flags.save !== undefined) writeCounts(flags.save, counts);
    process.stderr.write(`${counts.trials} of ${trials}, ${counts.failures.length} failures\n`);
  }
  return counts;
}

/** A process of its own: what a trial leaves in memory goes with it. */
async function inProcess(from: number, count: number): Promise<CampaignResult> {
  const child = fork(import.meta.filename, [...process.argv.slice(2), '--trials', String(count)], {
    env: { ...process.env, [SLICE_FROM]: String(from) },
    serialization: 'advanced',
  });
  let result: CampaignResult | undefined;
  child.on('message', (message) => {
    result = message as CampaignResult;
  });
  const [code] = await once(child, 'exit');
  if (!result) throw new Error(`the process of trials ${from} to ${from + count - 1} ended with ${code}`);
  const rows = result.rows.map((row) => ({ ...row, fault: FAULTS.find(({ id }) => id === row.fault.id)! }));
  return { ...result, rows };
}

async function oneSlice(from: number): Promise<void> {
  const { trials, rows, failures } = await tryThem(from, Number(flags.trials));
  // What is drawn within a trial, and how its bound depends on its motion, cannot be sent.
  const plain = rows.map((row) => ({ ...row, fault: { id: row.fault.id } }));
  process.send!({ trials, rows: plain, failures: failures.map(({ why, again }) => ({ why, again })) });
}

async function tryThem(from: number, trials: number, isAlone = false): Promise<CampaignResult> {
  const { run, close } = await runnerOf();
  try {
    return await campaign({
      ...{ seed, trials, pace, robots, faults: only, motions, run, from },
      ...(flags.longest === undefined ? {} : { longestMs: Number(flags.longest) }),
      onTrial: (trial, outcome, done) => {
        show(trial, outcome, done, isAlone);
        return performance.now() < endMs;
      },
    });
  } finally {
    await close();
  }
}

async function runnerOf(): Promise<{ run(trial: Trial): Promise<Outcome>; close(): Promise<void> }> {
  if (pace === 'virtual') return { run: runVirtualTrial, close: async () => {} };
  const { RealTrials } = await import('../test/support/faults/real/real-trials.ts');
  const real = new RealTrials();
  return { run: (trial) => real.run(trial), close: () => real.close() };
}

function show(trial: Trial, outcome: Outcome | Error, done: number, isAlone: boolean): void {
  const { number, robot, motion, fault, bound } = trial;
  const name = `${number}: ${fault.id}, ${robot}, ${motion}, ${trial.lastsMs} ms`;
  if (outcome instanceof Error) process.stderr.write(`${name}: ${outcome.stack}\n`);
  else if (outcome.verdict.broken.length > 0 || isAlone) {
    const { verdict } = outcome;
    const words = verdict.broken.join('; ') || 'held';
    process.stderr.write(
      `${name}: ${words} (last command ${verdict.lastCommandMs} of ${bound.commandsMs}, rest ${verdict.restMs} of ${bound.restMs} ms)\n`,
    );
  }
  if (done % PROGRESS_EVERY[trial.pace] === 0) process.stderr.write(`${done} done\n`);
}

function finish({ trials, rows, failures }: Counts): void {
  const seconds = (performance.now() - startedMs) / 1_000;
  const count = (of: (row: (typeof rows)[number]) => number) => rows.reduce((all, row) => all + of(row), 0);
  const counts = {
    trials,
    failures: failures.length,
    unmoved: count(({ unmoved }) => unmoved),
    late_commands: count(({ lateCommands }) => lateCommands),
    takeovers_lost: count(({ takeoversLost }) => takeoversLost),
    rested_too_late: count(({ restedTooLate }) => restedTooLate),
    overspeed: count(({ overspeed }) => overspeed),
    collisions: count(({ collisions }) => collisions),
  };
  if (!flags.json) {
    const lines = Object.entries(counts).map(([name, value]) => `${name.padEnd(18)}${value}`);
    for (const { why, again } of failures) lines.push('', why.join('; '), `    ${again}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  const all = { seed, seconds, load_average: loadavg()[0], ...counts, failed: failures };
  process.stdout.write(`${JSON.stringify(all)}\n`);
  process.exitCode = failures.length === 0 ? 0 : 1;
}

function writeCard(files: readonly string[]): void {
  const saved = files.map((file) => {
    const counts = readCounts(file);
    if (!counts) throw new Error(`${file} is missing: --save makes it`);
    return counts;
  });
  const failed = saved.flatMap(({ failures }) => failures);
  const commands = [
    ...saved.map(({ command: made, trials }, i) => `${made} --trials ${trials} --save counts-${i + 1}.json`),
    `node bench/faults.ts --card ${saved.map((_, i) => `counts-${i + 1}.json`).join(',')}`,
  ];
  writeFileSync(CARD, faultCard({ rows: merged(saved.map(({ rows }) => rows)), commands }));
  process.stdout.write(`${CARD}\n`);
  for (const { why, again } of failed) process.stderr.write(`failed: ${why.join('; ')}\n    ${again}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}
