import { Command } from 'commander';
import { VERSION } from '../daemon/version.ts';

/** The command line without its commands: the common part. */
export function makeProgram(): Command {
  return (
    new Command('auraison')
      .description(
        'The daemon that makes a robot an agent: middleware, models, recorder and lakehouse in one process tree.',
      )
      .version(VERSION)
      .option('--config <file>', 'configuration file (TOML)')
      .option('--data-dir <directory>', 'data directory of the daemon')
      .option('--json', 'results as JSON on standard output')
      .showSuggestionAfterError()
      // Before there are commands: each takes it over from the one that it is made by.
      .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
      .showHelpAfterError('the same command with --help says what it takes, with examples')
      .addHelpText(
        'after',
        `
Examples:
  auraison demo --seed 7 --once          a simulated robot finds its way out of a maze
  auraison up --config robot.toml        run the daemon
  auraison intent send maze/find_exit    ask for something
  auraison events --follow               watch what happens
  auraison query "select kind, count(*) from events group by all"
  auraison doctor                        what this host has and lacks

Exit codes: 0 done, 1 failed, 2 wrong usage, 77 not authorised, 78 wrong configuration.`,
      )
  );
}

/** Carries out what the arguments of this process ask for. */
export async function runProgram(program: Command): Promise<void> {
  // A reader such as `head` or `less` may close the pipe early: that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  await program.parseAsync();
}
