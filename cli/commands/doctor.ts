import type { Command } from 'commander';
import { action } from '../context.ts';
import type { Check } from '../doctor/checks.ts';

const MARK = { ok: 'ok     ', absent: 'absent ', bad: 'BAD    ' } as const;

export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('what this host has and lacks, why, and how to fix it; exit code 1 when something is bad')
    .addHelpText(
      'after',
      '\nAbsent parts are optional: the daemon runs without them and says so.\n\nExample:\n  auraison doctor --json',
    )
    .action(
      action(async ({ settings, out }) => {
        // Adapters are loaded only here: they are half of the vendors.
        const doctor = await import('../doctor/checks.ts');
        const { checkLake } = await import('../doctor/lake-check.ts');
        const { checkModels } = await import('../doctor/models-check.ts');
        const { checkSandboxes } = await import('../doctor/sandbox-check.ts');
        const { checkMcp } = await import('../doctor/mcp-check.ts');
        const { checkRuntimes } = await import('../doctor/runtimes-check.ts');
        const checks: Check[] = [
          doctor.checkNode(),
          doctor.checkDataDir(settings),
          await checkLake(settings),
          await checkModels(settings),
          await doctor.checkPolicy(settings),
          doctor.checkRos(),
          await doctor.checkZenoh(settings),
          checkMcp(settings),
          checkRuntimes(settings),
          await checkSandboxes(settings),
          doctor.checkSharedMemory(),
          doctor.checkClock(),
          doctor.checkService(),
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
