import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import type { GlobalOptions } from '../context.ts';
import { failWith, makeOutput, type Output, table } from '../output.ts';

type Desk = Awaited<ReturnType<typeof open>>;

/** `auraison central enrol | revoke | robots`: at the coordinator's host, also while it runs. */
export function addCentralRobotCommands(
  central: Command,
  dataDirOf: (options: GlobalOptions) => string,
): void {
  const act =
    (work: (desk: Desk, out: Output, name: string, options: { valid: string }) => void | Promise<void>) =>
    async (...args: unknown[]): Promise<void> => {
      const command = args.at(-1) as Command;
      const options = command.optsWithGlobals<GlobalOptions & { valid: string }>();
      const out = makeOutput(options.json === true);
      try {
        const desk = await open(dataDirOf(options));
        try {
          await work(desk, out, String(args[0]), options);
        } finally {
          desk.close();
        }
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    };
  central
    .command('enrol <robot>')
    .description('make a one-time token with which the robot of this name gets its own certificate')
    .option('--valid <hours>', 'how long the token is valid', '24')
    .addHelpText('after', '\nExamples:\n  auraison central enrol r1 --data-dir ./central-data')
    .action(
      act(async (desk, out, name, { valid }) => {
        const hours = Number(valid);
        if (!(hours > 0 && hours * 3_600_000 <= LIMITS.CENTRAL_ENROL_MS_MAX)) throw badHours(valid);
        const token = await desk.invite(name, hours * 3_600_000);
        out.result({ robot: name, token }, () => token);
        out.note(
          `valid for ${valid} h and one robot; at ${name}: auraison link enrol https://THIS_HOST:PORT --token TOKEN`,
        );
      }),
    );
  central
    .command('revoke <robot>')
    .description('no certificate and no token of this robot counts from now on, until it is enrolled again')
    .addHelpText('after', '\nExamples:\n  auraison central revoke r1 --data-dir ./central-data')
    .action(
      act((desk, out, name) => {
        desk.revoke(name);
        out.result({ robot: name, revoked: true }, () => `${name} is revoked`);
      }),
    );
  central
    .command('robots')
    .description('robots that are enrolled, invited or revoked')
    .addHelpText('after', '\nExamples:\n  auraison central robots --data-dir ./central-data --json')
    .action(
      act((desk, out) => {
        const robots = desk.list();
        const rows = robots.map(({ robot, state, until, since, presence }) => [
          ...[robot, state, until, since],
          presence ?? '',
        ]);
        out.result({ robots }, () => table(['ROBOT', 'STATE', 'UNTIL', 'SINCE', 'PRESENCE'], rows));
      }),
    );
}

async function open(dataDir: string) {
  const { openInvitations } = await import('../../central/invitations.ts');
  return await openInvitations(dataDir, new FileSecrets(dataDir, String(process.pid)), new SystemClock());
}

function badHours(valid: string): EdgeError {
  return new EdgeError('config.invalid', {
    ...{ operation: 'enrol robot', subject: '--valid' },
    message: `--valid ${valid}: hours above 0, up to ${LIMITS.CENTRAL_ENROL_MS_MAX / 3_600_000}, expected`,
  });
}
