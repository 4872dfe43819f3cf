import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { CELL_NAMES, type LogCut } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';

export function addLogCommands(program: Command): void {
  const log = program.command('log').description('the event logs of the cells');
  log
    .command('verify')
    .description(
      'recompute the hash chain of every cell log; works while the daemon runs; exit code 1 on a broken chain',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  auraison log verify\n  auraison log verify --json --data-dir /var/lib/auraison-edge',
    )
    .action(
      action(async ({ settings, out }) => {
        const { logPath, verifyLogFile } = await import('../../adapters/event-log/index.ts');
        const present = CELL_NAMES.filter((cell) => existsSync(logPath(settings.dataDir, cell)));
        const verdicts = present.map((cell) => verifyLogFile(logPath(settings.dataDir, cell)));
        out.result({ ok: verdicts.every((v) => v.ok), data_dir: settings.dataDir, logs: verdicts }, () =>
          verdicts.length === 0
            ? `no event log in ${settings.dataDir} yet`
            : table(
                ['CELL', 'STATE', 'EVENTS', 'LAST', 'HASH', 'REMOVED'],
                verdicts.map((v) => [
                  v.cell,
                  v.ok ? 'ok' : `BROKEN at ${v.fault?.seq}: ${v.fault?.message}`,
                  String(v.events),
                  String(v.lastSeq),
                  v.lastHash.slice(0, 16),
                  v.cut ? removed(v.cut) : '',
                ]),
              ),
        );
        return verdicts.every((v) => v.ok) ? 0 : 1;
      }),
    );
}

/** What a signed checkpoint says is gone. */
function removed({ through, event_ts, key_id }: LogCut): string {
  const day = new Date(Number(BigInt(event_ts) / 1_000_000n)).toISOString();
  return `2 to ${through}, until ${day}, signed by ${key_id}`;
}
