import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { nobodyListens } from '../../daemon/client/api-client.ts';
import { action, type CommandContext } from '../context.ts';
import { engage } from './estop.ts';

/** Longest wait for the API, milliseconds; then the emergency stop is used, since a person is waiting. */
const STOP_MS = 6_000;
const ORIGIN = { 'x-auraison-origin': 'cli' };
/** The API refused: the robot is not stopped by another way either. */
const REFUSED: ReadonlySet<string> = new Set(['api.unauthorised', 'api.forbidden', 'schema.invalid']);

type Answer = {
  readonly result?: { readonly confirmed?: boolean; readonly warnings?: readonly string[] };
};

export function addStopCommand(program: Command): void {
  program
    .command('stop')
    .description('stop the robot now and cancel every run; it may be asked to move again at once')
    .option('--reason <text>', 'why, for the log', 'asked for on the command line')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison stop\n  auraison stop --reason "a person is in the way"\n\n' +
        'Where the API of the daemon does not answer, the emergency stop is engaged instead.\n' +
        'auraison estop stops the robot too, and keeps it from moving until a person releases it.\n' +
        'auraison runs cancel RUN ends one run. Ctrl-C, or systemctl stop, ends the daemon.',
    )
    .action(action((context, { reason }: { reason: string }) => stop(context, reason)));
}

/** Exit code 1: it is not confirmed that the robot stands, or nothing was stopped. */
export async function stop(context: CommandContext, reason: string): Promise<number> {
  const { api, out, settings } = context;
  const answer = await api
    .post<Answer>('/v1/robot/stop', { reason }, STOP_MS, ORIGIN)
    .catch((thrown: unknown) =>
      otherwise(EdgeError.from(thrown, 'internal.fault', 'stop', 'robot'), settings.dataDir),
    );
  if (answer instanceof EdgeError) {
    out.note(`auraison: ${answer.message}; the emergency stop is used instead`);
    return engage(context, reason);
  }
  const { confirmed = true, warnings = [] } = answer.result ?? {};
  for (const warning of warnings) out.note(`auraison: ${warning}`);
  out.result({ stopped: true, confirmed }, () =>
    confirmed
      ? 'stopped: the robot stands, and its runs are cancelled'
      : 'NOT CONFIRMED that the robot stands: look at it, and use auraison estop',
  );
  return confirmed ? 0 : 1;
}

/** The error where the emergency stop may still do it. Throws where it may not: refused, or no daemon runs here. */
async function otherwise(error: EdgeError, dataDir: string): Promise<EdgeError> {
  const { daemonOf } = await import('../../daemon/supervisor/data-lock.ts');
  const isAbsent = nobodyListens(error) && daemonOf(dataDir) === undefined;
  if (!REFUSED.has(error.code) && !isAbsent) return error;
  throw new EdgeError(error.code, {
    operation: 'stop',
    subject: error.subject,
    message: `NOT stopped: ${error.message}`,
    hint: "use the robot's own button; as for this command: name the daemon with --data-dir, or its token in AURAISON_TOKEN",
    cause: error,
  });
}
