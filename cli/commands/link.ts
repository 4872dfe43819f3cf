import type { Command } from 'commander';
import { EdgeError, LIMITS, type LinkSyncReply } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

export function addLinkCommands(program: Command): void {
  const link = program.command('link').description('the way to central');
  link
    .command('sync')
    .description(
      'try central now, and wait until it acknowledged what was logged; exit code 1 when it has not',
    )
    .option('--timeout <seconds>', 'wait at most this long', '10')
    .addHelpText('after', '\nExamples:\n  auraison link sync\n  auraison link sync --timeout 60 --json')
    .action(
      action(async ({ api, out }, options: { timeout: string }) => {
        const timeoutMs = millisecondsOf(options.timeout);
        const done = await api.post<LinkSyncReply>(
          '/v1/link/sync',
          { timeout_ms: timeoutMs },
          timeoutMs + 5_000,
        );
        out.result(done, () =>
          [
            `${done.state}${done.reason === '' ? '' : `: ${done.reason}`}; ${done.behind} events not acknowledged`,
            table(
              ['LANE', 'SENT', 'LAST', 'FAULT'],
              Object.entries(done.lanes).map(([lane, l]) => [lane, `${l.sent}`, `${l.last}`, l.fault ?? '']),
            ),
          ].join('\n'),
        );
        return done.state === 'connected' && done.behind === 0 ? 0 : 1;
      }),
    );
}

function millisecondsOf(text: string): number {
  const ms = Math.round(Number(text) * 1000);
  if (ms >= 1 && ms <= LIMITS.LINK_SYNC_MS_MAX) return ms;
  throw new EdgeError('schema.invalid', {
    operation: 'link sync',
    subject: '--timeout',
    message: `--timeout ${text}: seconds from 0.001 to ${LIMITS.LINK_SYNC_MS_MAX / 1000} expected`,
  });
}
