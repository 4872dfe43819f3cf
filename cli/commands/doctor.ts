import type { Command } from 'commander';
import { action } from '../context.ts';
import {
  type Check,
  checkClock,
  checkDataDir,
  checkNode,
  checkPolicy,
  checkRos,
  checkService,
  checkSharedMemory,
  checkZenoh,
} from '../doctor/checks.ts';
import { checkLake } from '../doctor/lake-check.ts';

const MARK = { ok: 'ok     ', absent: 'absent ', bad: 'BAD    ' } as const;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('what this host has and lacks, why, and how to mend it; exit code 1 when something is bad')
    .addHelpText(
      'after',
      '\nAbsent parts are optional: the daemon runs without them and says so.\n\nExample:\n  auraison doctor --json',
    )
    .action(
      action(async ({ settings, out }) => {
        const checks: Check[] = [
          checkNode(),
          checkDataDir(settings),
          await checkLake(settings),
          await checkPolicy(settings),
          checkRos(),
          checkZenoh(),
          checkSharedMemory(),
          checkClock(),
          checkService(),
        ];
        const healthy = checks.every((check) => check.state !== 'bad');
        out.result({ ok: healthy, checks }, () =>
          checks
            .map(
              (check) =>
                `${MARK[check.state]} ${check.name.padEnd(8)} ${check.detail}${check.fix === '' ? '' : `\n${' '.repeat(17)}fix: ${check.fix}`}`,
            )
            .join('\n'),
        );
        return healthy ? 0 : 1;
      }),
    );
}
