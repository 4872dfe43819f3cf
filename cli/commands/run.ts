import { writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { ReplayOutcome } from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';
import { action } from '../context.ts';

const COLUMNS = 100;

/** Commands for past runs: they read the log files, whether the daemon runs or not. */
export function addRunCommands(program: Command): void {
  const run = program
    .command('run')
    .description('one run that was: do it again, compare it, see where its time went');
  run
    .command('replay <run>')
    .description('do a recorded run again with the recorded answers; nothing is reached, nothing moves')
    .option('--from <entry>', 'start at this event: its number, its id, or the name of a phase')
    .option('--model <name>', 'ask this model instead of the record, and show what becomes of it')
    .option('--policy <directory>', 'judge each call by these policies instead, and show what becomes of it')
    .addOption(
      new Option('--sim', 'carry its calls out on a fresh simulation instead, and show what becomes of it'),
    )
    .addHelpText(
      'after',
      `
Examples:
  auraison run replay 019c2f…                    is it the same, to the last byte?
  auraison run replay 019c2f… --from navigate    from the first time that it drove
  auraison run replay 019c2f… --model qwen --json
  auraison run replay 019c2f… --policy policies.new

Exit codes: 0 identical, or changed by what was swapped; 3 it took another way; 1 failed.`,
    )
    .action(
      action(async ({ settings, out }, id: string, options: ReplayFlags) => {
        const ends = new AbortController();
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ends.abort());
        // Only a simulation needs cleanup.
        if (options.sim !== true) ends.signal.addEventListener('abort', () => process.exit(130));
        try {
          const outcome = await (await replayApi(settings)).replay(id, options, ends.signal);
          const { drawDiff } = await import('../../history/diff-text.ts');
          out.result(outcome, () => replayText(outcome, (diff) => drawDiff(diff, columns(), out.colour)));
          return outcome.verdict === 'diverged' ? 3 : 0;
        } finally {
          setImmediate(leave);
        }
      }),
    );
  run
    .command('diff <a> <b>')
    .description('where two runs part, and the rest side by side')
    .addHelpText(
      'after',
      `
Examples:
  auraison run diff 019c2f… 019c30…
  auraison run diff 019c2f… 019c30… --json | jq .classes

Exit codes: 0 equal, 3 different, 1 failed.`,
    )
    .action(
      action(async ({ settings, out }, a: string, b: string) => {
        const diff = await (await replayApi(settings)).diff(a, b);
        const { drawDiff } = await import('../../history/diff-text.ts');
        out.result(diff, () => drawDiff(diff, columns(), out.colour));
        return diff.identical ? 0 : 3;
      }),
    );
  run
    .command('trace <run>')
    .description('where the time of a run went: phases, models, tools, motions, approvals')
    .option('--svg <file>', 'write an image instead')
    .addHelpText(
      'after',
      `
Examples:
  auraison run trace 019c2f…
  auraison run trace 019c2f… --svg trace.svg`,
    )
    .action(
      action(async ({ settings, out }, id: string, options: { svg?: string }) => {
        const spans = await (await replayApi(settings)).trace(id);
        const { drawTraceText } = await import('../../history/waterfall.ts');
        const { drawTraceSvg } = await import('../../history/trace-svg.ts');
        if (options.svg === undefined) {
          out.result(spans, () => drawTraceText(spans, columns()));
          return 0;
        }
        writeFileSync(options.svg, drawTraceSvg(spans, `run ${id}`));
        out.result(
          { file: options.svg, spans: spans.length },
          () => `${spans.length} spans in ${options.svg}`,
        );
        return 0;
      }),
    );
}

/** Calls that a replay abandons are never answered: their deadlines of minutes must not keep the process alive. */
function leave(): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit()));
}

type ReplayFlags = { from?: string; model?: string; policy?: string; sim?: boolean };

/** Loaded only here: the other commands need none of it. */
async function replayApi(settings: Settings) {
  const { makeFileReplay } = await import('../../daemon/compose/replay.ts');
  return makeFileReplay(settings, new SystemClock());
}

function columns(): number {
  return Math.max(80, process.stdout.columns ?? COLUMNS);
}

function replayText(
  outcome: ReplayOutcome,
  draw: (diff: NonNullable<ReplayOutcome['diff']>) => string,
): string {
  const { run_id, verdict, message, from, attempts, lines, divergence, diff, swapped } = outcome;
  const missing = outcome.missing_blobs ?? [];
  const head = [
    `run ${run_id}: ${verdict}`,
    `  ${message}`,
    `  from event ${from}, ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}, ${lines} lines as they were`,
  ];
  if (swapped.length > 0) head.push(`  live instead of recorded: ${swapped.join(', ')}`);
  if (divergence) {
    head.push(
      `  first difference: ${divergence.class}, event ${divergence.entry}`,
      `    ${divergence.words}`,
      ...(divergence.expected === undefined ? [] : [`    record  ${divergence.expected}`]),
      ...(divergence.actual === undefined ? [] : [`    replay  ${divergence.actual}`]),
    );
  }
  if (missing[0] !== undefined) {
    const gone = missing.length === 1 ? '1 blob that is gone' : `${missing.length} blobs that are gone`;
    head.push(`  without ${gone} (blobs.quota): ${missing[0]}${missing.length > 1 ? ', …' : ''}`);
  }
  if (diff) head.push('', draw(diff));
  return head.join('\n');
}
