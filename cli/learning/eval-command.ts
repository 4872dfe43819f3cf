import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { runChild, wilson } from '../../adapters/onnx/training/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { durationNs } from '../commands/bag/values.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import { networkOf } from './parts.ts';

type Flags = { episodes: string; limit: string; least?: string };

export function addEvalCommand(policy: Command): void {
  policy
    .command('eval <policy> [command...]')
    .description('try a policy and count: success rate with its 95 % interval (Wilson)')
    .option('--episodes <n>', 'trials', '100')
    .option('--limit <duration>', 'longest that all of it may take', '6h')
    .option('--least <rate>', 'exit code 1 where the rate is lower, for example 0.9')
    .addHelpText(
      'after',
      `
The command (default: dataset.evaluate) is given --policy FILE --episodes N and prints one JSON object on a line for each
trial, with "success": true or false. The policy is a registered name, name@hash, or an .onnx file.

Example:
  auraison policy eval picks --episodes 100 -- node my-cell/evaluate.ts --seed 5`,
    )
    .action(
      action(async ({ settings, out }, wanted: string, given: string[], flags: Flags) => {
        const command = given.length > 0 ? given : [...settings.config.dataset.evaluate];
        const trials = Number(flags.episodes);
        if (!Number.isSafeInteger(trials) || trials < 1)
          throw wrong('--episodes', flags.episodes, 'a whole number');
        const least = flags.least === undefined ? undefined : Number(flags.least);
        if (least !== undefined && !(least >= 0 && least <= 1))
          throw wrong('--least', flags.least!, 'from 0 to 1');
        const [program, ...args] = command;
        if (program === undefined)
          throw new EdgeError('schema.invalid', {
            operation: 'policy eval',
            subject: 'dataset.evaluate',
            message: 'no command that tries a policy',
            hint: 'name one after --, or set dataset.evaluate',
          });
        const network = await networkOf(settings, wanted);
        let done = 0;
        let successes = 0;
        await cancellable('policy eval', wanted, (signal) =>
          runChild(program, [...args, '--policy', network, '--episodes', String(trials)], {
            clock: new SystemClock(),
            signal,
            limitMs: Number(durationNs(flags.limit, '--limit')) / 1e6,
            onLine: (line) => {
              const success = outcomeOf(line);
              if (success === undefined) return out.note(`  ${line}`);
              done += 1;
              successes += success ? 1 : 0;
              if (done % 10 === 0) out.note(`  ${successes} of ${done}`);
            },
            onNote: (line) => out.note(`  ${line}`),
          }),
        );
        if (done !== trials)
          throw new EdgeError('tool.failed', {
            operation: 'policy eval',
            subject: program,
            message: `${done} trials were told, ${trials} were asked for: a rate of them would mislead`,
          });
        const { rate, low, high } = wilson(successes, done);
        const view = { policy: wanted, path: network, trials: done, successes, rate, low, high };
        const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
        out.result(
          view,
          () => `${successes} of ${done}: ${percent(rate)} (95 %: ${percent(low)} to ${percent(high)})`,
        );
        return least !== undefined && rate < least ? 1 : 0;
      }),
    );
}

function outcomeOf(line: string): boolean | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const { success } = JSON.parse(line) as { success?: unknown };
    return typeof success === 'boolean' ? success : undefined;
  } catch {
    return undefined;
  }
}

function wrong(option: string, text: string, expected: string): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'policy eval',
    subject: option,
    message: `${option} ${text}: ${expected} expected`,
  });
}
