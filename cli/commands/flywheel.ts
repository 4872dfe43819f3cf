import { resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FlywheelRequest } from '../../daemon/compose/flywheel/run-flywheel.ts';
import { PREFIX_MAX } from '../../daemon/compose/flywheel/terms.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput, type Output } from '../output.ts';

type FlywheelFlags = GlobalOptions & {
  task: FlywheelRequest['task'];
  demos: number;
  eval: number;
  rounds: number;
  interventions: number;
  prefix: number;
  seed: number;
  folder?: string;
  python?: string;
  fresh?: boolean;
};

export function addFlywheelCommand(program: Command): void {
  program
    .command('flywheel')
    .description(
      'teach the simulated arm: demonstrations, a trained policy, its success, corrections, a better policy',
    )
    .addOption(
      new Option('--task <task>', 'what is taught').choices(['pick_place', 'reach']).default('pick_place'),
    )
    .option('--demos <count>', 'demonstrations of the scripted expert', whole(1, 100_000), 200)
    .option('--eval <count>', 'held-out starts that each policy is measured with', whole(1, 100_000), 100)
    .option('--rounds <count>', 'rounds of corrections', whole(0, 100), 1)
    .option('--interventions <count>', 'supervised starts of a round', whole(1, 100_000), 100)
    .option(
      '--prefix <count>',
      'longest prefix that policies learn to continue from, in actions of 50 ms (real-time chunking); 0: none',
      whole(0, PREFIX_MAX),
      0,
    )
    .option('--seed <number>', 'family of starts, and seed of the trainer', whole(0, 65_535), 1)
    .option('--folder <path>', 'dataset, policies and results; a second start continues there')
    .option('--python <path>', 'a Python with numpy, onnx and pyarrow; else one is made in the cache')
    .option('--fresh', 'empty the folder first')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison flywheel\n  auraison flywheel --demos 50 --rounds 2 --json\n  auraison flywheel --prefix 8     policies that continue the actions executed meanwhile (docs/arm.md)\n  auraison policy eval …   for policies of any robot',
    )
    .action(async (_options: unknown, command: Command) => {
      const flags = command.optsWithGlobals<FlywheelFlags>();
      const out = makeOutput(flags.json === true);
      try {
        await turn(flags, out);
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
}

async function turn(flags: FlywheelFlags, out: Output): Promise<void> {
  // Physics, DuckDB and ONNX are heavy: no other command loads them.
  const { runFlywheel } = await import('../../daemon/compose/flywheel/run-flywheel.ts');
  const { reportText } = await import('../flywheel/report-text.ts');
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const { task, seed, demos, rounds, prefix } = flags;
  const name = `flywheel-${task}-${demos}-${seed}${prefix > 0 ? `-prefix-${prefix}` : ''}`;
  const folder = resolve(flags.folder ?? name);
  out.note(
    `flywheel: ${task}, ${demos} demonstrations, ${flags.eval} held-out starts, seed ${seed}, in ${folder}`,
  );
  const report = await runFlywheel({
    folder,
    task,
    seed,
    demos,
    rounds,
    evaluations: flags.eval,
    supervised: flags.interventions,
    prefix,
    python: flags.python,
    fresh: flags.fresh === true,
    signal: stop.signal,
    note: (text) => out.note(text),
    tell: teller(out),
  });
  out.result(report, () => reportText(report));
}

/** One line that changes on a terminal; elsewhere a line per stage. */
function teller(out: Output): FlywheelRequest['tell'] {
  const live = process.stderr.isTTY === true && !out.json;
  return ({ stage, round, done, of, successes }) => {
    const good = successes === undefined ? '' : `, ${successes} succeeded`;
    const text = `round ${round}  ${stage.padEnd(11)} ${done} of ${of}${good}`;
    const end = done === of;
    if (live) process.stderr.write(`\r\x1b[K${text}${end ? '\n' : ''}`);
    else if (end) out.note(text);
  };
}

function whole(least: number, most: number) {
  return (text: string): number => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`a whole number from ${least} to ${most} expected`);
  };
}
