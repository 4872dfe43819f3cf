import type { Command } from 'commander';

/**
 * The command of a group that is meant where none is named. A word that the group does not have is called an unknown command:
 * commander itself would call it one argument too many of a command that no person typed.
 */
export function defaultCommand(group: Command, name: string): Command {
  const command = group.command(name, { isDefault: true }).allowExcessArguments();
  return command.hook('preAction', () => {
    const extra = command.args[command.registeredArguments.length];
    if (extra === undefined) return;
    const names = group.commands.map((one) => one.name()).join(', ');
    const isNamed = group.args[0] === name;
    command.error(
      isNamed
        ? `error: '${group.name()} ${name}' takes no '${extra}'`
        : `error: unknown command '${extra}'; '${group.name()}' has ${names}`,
    );
  });
}
