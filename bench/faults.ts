import { readFileSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { RobotKind } from '../test/support/faults/bounds.ts';
import {
  type CampaignResult,
  campaign,
  merged,
  type Outcome,
  roundOf,
} from '../test/support/faults/campaign.ts';
import { faultCard } from '../test/support/faults/card.ts';
import { FAULTS, type Pace } from '../test/support/faults/faults.ts';
import type { Trial } from '../test/support/faults/trial.ts';
import { runVirtualTrial } from '../test/support/faults/virtual/run-trial.ts';

/**
 * Faults × motions × robots, drawn from a seed and judged by what the simulated robot wrote down itself. Ends with 1
 * where a command moved a robot after its bound, a takeover was lost, or a robot was faster than it may. See README.md.
 *
 * Usage: node bench/faults.ts [--trials N] [--seed S] [--pace virtual|real] [--robots base,arm,ros] [--longest MS]
 *                             [--minutes M] [--trial NUMBER] [--save FILE] [--card FILE[,FILE]] [--json]
 * `--trial`: this one alone, with its record. `--save`: the counts, for a card. `--card`: writes docs/fault-card.md from
 * the counts of these files, and tries nothing.
 */
const { values: flags } = parseArgs({
  options: {
    trials: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    pace: { type: 'string', default: 'virtual' },
    robots: { type: 'string' },
    longest: { type: 'string' },
    minutes: { type: 'string', default: '600' },
    trial: { type: 'string' },
    save: { type: 'string' },
    card: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

type Saved = Omit<CampaignResult, 'failures'> & { readonly command: string };
const CARD = join(import.meta.dirname, '..', 'docs', 'fault-card.md');
const PROGRESS_EVERY = { virtual: 50, real: 5 } as const;

if (flags.card !== undefined) writeCard(flags.card.split(','));
else await tryThem();

async function tryThem(): Promise<void> {
  const pace = flags.pace === 'real' ? 'real' : 'virtual';
  const robots = (flags.robots ?? (pace === 'real' ? 'base,ros' : 'base,arm')).split(',') as RobotKind[];
  const seed = Number(flags.seed);
  const one = flags.trial === undefined ? undefined : Number(flags.trial);
  const trials = one === undefined ? Number(flags.trials) : 1;
  const endMs = performance.now() + Number(flags.minutes) * 60_000;
  const began = performance.now();
  const { run, close } = await runnerOf(pace);
  process.stderr.write(`seed ${seed}, ${trials} trials; a round is ${roundOf(pace, robots)}\n`);
  try {
    const result = await campaign({
      ...{ seed, trials, pace, robots, run, from: one ?? 0 },
      ...(flags.longest === undefined ? {} : { longestMs: Number(flags.longest) }),
      onTrial: (trial, outcome, done) => {
        tell(trial, outcome, done, one !== undefined);
        return performance.now() < endMs;
      },
    });
    const seconds = (performance.now() - began) / 1_000;
    report(result, seconds);
    const command = `node bench/faults.ts --pace ${pace} --robots ${robots.join(',')} --seed ${seed} --trials ${result.trials}`;
    if (flags.save !== undefined) {
      const saved: Saved = { trials: result.trials, rows: result.rows, command };
      writeFileSync(flags.save, JSON.stringify(saved));
    }
    process.exitCode = result.failures.length === 0 ? 0 : 1;
  } finally {
    await close();
  }
}

async function runnerOf(
  pace: Pace,
): Promise<{ run(trial: Trial): Promise<Outcome>; close(): Promise<void> }> {
  if (pace === 'virtual') return { run: runVirtualTrial, close: async () => {} };
  const { RealTrials } = await import('../test/support/faults/real/real-trials.ts');
  const real = new RealTrials();
  return { run: (trial) => real.run(trial), close: () => real.close() };
}

function tell(trial: Trial, outcome: Outcome | Error, done: number, whole: boolean): void {
  const { number, robot, motion, fault, bound } = trial;
  const name = `${number}: ${fault.id}, ${robot}, ${motion}, ${trial.lastsMs} ms`;
  if (outcome instanceof Error) process.stderr.write(`${name}: ${outcome.stack}\n`);
  else if (outcome.verdict.broken.length > 0 || whole) {
    const { verdict } = outcome;
    const words = verdict.broken.join('; ') || 'held';
    process.stderr.write(
      `${name}: ${words} (last command ${verdict.lastCommandMs} of ${bound.commandsMs}, rest ${verdict.restMs} of ${bound.restMs} ms)\n`,
    );
  }
  if (done % PROGRESS_EVERY[trial.pace] === 0) process.stderr.write(`${done} done\n`);
}

function report({ trials, rows, failures }: CampaignResult, seconds: number): void {
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
  const again = failures.map((failure) => ({ why: failure.why, again: failure.again }));
  if (!flags.json) {
    const lines = Object.entries(counts).map(([name, value]) => `${name.padEnd(18)}${value}`);
    for (const { why, again: command } of again) lines.push('', why.join('; '), `    ${command}`);
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  const all = { seed: Number(flags.seed), seconds, load_average: loadavg()[0], ...counts, failed: again };
  process.stdout.write(`${JSON.stringify(all)}\n`);
}

function writeCard(files: readonly string[]): void {
  const saved = files.map((file) => JSON.parse(readFileSync(file, 'utf8')) as Saved);
  // What the file says of a fault may be older than the list.
  const known = (row: Saved['rows'][number]) => ({
    ...row,
    fault: FAULTS.find(({ id }) => id === row.fault.id)!,
  });
  const rows = merged(saved.map((one) => one.rows.map(known)));
  const commands = [
    ...saved.map(({ command }, i) => `${command} --save counts-${i + 1}.json`),
    `node bench/faults.ts --card ${saved.map((_, i) => `counts-${i + 1}.json`).join(',')}`,
  ];
  writeFileSync(CARD, faultCard({ rows, commands }));
  process.stdout.write(`${CARD}\n`);
}
