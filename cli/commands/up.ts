import type { Command } from 'commander';
import type { GlobalOptions } from '../context.ts';

export function addUpCommand(program: Command): void {
  program
    .command('up')
    .description(
      'run the daemon in the foreground until SIGTERM or Ctrl-C; logs go to standard error as JSON',
    )
    .option('--namespace <name>', 'ROS namespace of the robot')
    .option('--name <name>', 'name of this robot')
    .option('--source <source>', 'where the robot is: sim, ros, none')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison up\n  auraison up --config robot.toml --source ros --namespace /robot7\n  systemctl start auraison-edge   (after: auraison service install)',
    )
    .action(async (options: { namespace?: string; name?: string; source?: string }, command: Command) => {
      const globals = command.optsWithGlobals<GlobalOptions>();
      const flags: [string, string | undefined][] = [
        ['AURAISON_DAEMON_DATA_DIR', globals.dataDir],
        ['AURAISON_ROS_NAMESPACE', options.namespace],
        ['AURAISON_DAEMON_NAME', options.name],
        ['AURAISON_ROBOT_SOURCE', options.source],
      ];
      // Flags win over the environment, and the environment over the file.
      for (const [name, value] of flags) if (value !== undefined) process.env[name] = value;
      const { exitWith, runDaemon } = await import('../../daemon/main.ts');
      try {
        await runDaemon(globals.config);
      } catch (error) {
        exitWith(error);
      }
    });
}
