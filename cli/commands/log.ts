import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { CELL_NAMES, type LogCut, type LogVerdict } from '../../contract/core.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { addLogExport, wrong } from './log-export.ts';

export function addLogCommands(program: Command): void {
  const log = program.command('log').description('the event logs of the cells');
  log
    .command('verify')
    .argument('[file]', 'an export of `auraison log export`; absent: the logs of the data directory')
    .option('--key <id>', 'of an export: the key that has to have signed it')
    .description(
      'recompute the hash chain of every cell log, or of an export; works while the daemon runs; exit code 1 on a ' +
        'broken chain',
    )
    .addHelpText(
      'after',
      '\nExamples:\n  auraison log verify\n  auraison log verify --json --data-dir /var/lib/auraison-edge\n' +
        '  auraison log verify evidence.jsonl --key 3f1c8a90d2b47e55',
    )
    .action(
      action(async ({ settings, out }, file: string | undefined, { key }: { key?: string }) => {
        const { logPath, verifyExport, verifyLogFile } = await import('../../adapters/event-log/index.ts');
        if (file !== undefined) {
          const logs = (await verifyExport(file)).map((verdict) => signedBy(verdict, key));
          const ok = logs.every((one) => one.ok);
          out.result({ ok, file, logs }, () => verdictTable(logs, (one) => exported(one)));
          return ok ? 0 : 1;
        }
        if (key !== undefined) throw wrong('--key', 'it is for an export: auraison log verify FILE --key ID');
        const present = CELL_NAMES.filter((cell) => existsSync(logPath(settings.dataDir, cell)));
        const verdicts = present.map((cell) => verifyLogFile(logPath(settings.dataDir, cell)));
        out.result({ ok: verdicts.every((v) => v.ok), data_dir: settings.dataDir, logs: verdicts }, () =>
          verdicts.length === 0
            ? `no event log in ${settings.dataDir} yet`
            : verdictTable(verdicts, (one) => (one.cut ? removed(one.cut) : '')),
        );
        return verdicts.every((v) => v.ok) ? 0 : 1;
      }),
    );
  addLogExport(log);
}

type Exported = LogVerdict & { readonly first: number; readonly key_id?: string; readonly made_ts?: string };

function signedBy(verdict: Exported, key: string | undefined): Exported {
  if (!verdict.ok || key === undefined || verdict.key_id === key) return verdict;
  const message = `expected the signature of key ${key}, found ${verdict.key_id ?? 'none'}`;
  return { ...verdict, ok: false, fault: { seq: verdict.lastSeq, message } };
}

function verdictTable<V extends LogVerdict>(verdicts: readonly V[], more: (verdict: V) => string): string {
  return table(
    ['CELL', 'STATE', 'EVENTS', 'LAST', 'HASH', 'REMARKS'],
    verdicts.map((v) => [
      v.cell,
      v.ok ? 'ok' : `BROKEN at ${v.fault?.seq}: ${v.fault?.message}`,
      String(v.events),
      String(v.lastSeq),
      v.lastHash.slice(0, 16),
      more(v),
    ]),
  );
}

function exported({ first, key_id, made_ts, cut }: Exported): string {
  const signature = key_id === undefined ? 'not signed' : `signed by ${key_id}`;
  return [
    `from ${first}`,
    ...(cut ? [`removed ${removed(cut)}`] : []),
    ...(made_ts === undefined ? [] : [`exported ${day(made_ts)}`]),
    signature,
  ].join(', ');
}

/** What a signed checkpoint says is gone. */
function removed({ through, event_ts, key_id }: LogCut): string {
  return `2 to ${through}, until ${day(event_ts)}, signed by ${key_id}`;
}

function day(wire: string): string {
  return new Date(Number(BigInt(wire) / 1_000_000n)).toISOString();
}
