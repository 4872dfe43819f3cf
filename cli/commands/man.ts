import type { Command, Option } from 'commander';

/** The manual page, made from the commands themselves so that it cannot fall behind. */
export function addManCommand(program: Command): void {
  program
    .command('man')
    .description('print the manual page of auraison (roff)')
    .addHelpText(
      'after',
      '\nExamples:\n  auraison man | man -l -\n  auraison man > ~/.local/share/man/man1/auraison.1',
    )
    .action(() => {
      process.stdout.write(manualPage(program));
    });
}

/** Section 1 of the manual in the macros of man(7). */
export function manualPage(program: Command): string {
  const about = program.description();
  const lines = [
    `.TH AURAISON 1 "" "auraison ${quoted(program.version() ?? '')}" "User Commands"`,
    '.SH NAME',
    `auraison \\- ${plain(about)}`,
    '.SH SYNOPSIS',
    '.B auraison',
    '[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]',
    '.SH DESCRIPTION',
    plain(about),
    'Each command has a help of its own: \\fBauraison \\fIcommand\\fB \\-\\-help\\fR.',
    '.SH OPTIONS',
    ...program.options.flatMap(optionLines),
    '.SH COMMANDS',
    ...program.commands.flatMap((command) => commandLines(command, '')),
    '.SH "EXIT STATUS"',
    ...EXIT_STATUS.flatMap(([code, meaning]) => ['.TP', `.B ${code}`, meaning]),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, meaning]) => ['.TP', `.B ${name}`, plain(meaning)]),
  ];
  return `${lines.join('\n')}\n`;
}

const EXIT_STATUS = [
  ['0', 'Done.'],
  ['1', 'Failed.'],
  ['2', 'Wrong usage.'],
  ['65', 'The data is damaged; what could be read was read.'],
  ['77', 'Not authorised.'],
  ['78', 'Wrong configuration.'],
] as const;

const ENVIRONMENT = [
  ['AURAISON_CONFIG', 'The configuration file, as --config.'],
  ['AURAISON_URL', 'The address of a daemon elsewhere.'],
  ['AURAISON_TOKEN', 'The token for that daemon. A token of this host is never sent there.'],
  ['NO_COLOR', 'No colours.'],
] as const;

function commandLines(command: Command, path: string): string[] {
  const name = path === '' ? command.name() : `${path} ${command.name()}`;
  const usage = command.registeredArguments
    .map((one) => {
      const word = `\\fI${plain(one.name())}\\fR${one.variadic ? '...' : ''}`;
      return one.required ? word : `[${word}]`;
    })
    .join(' ');
  return [
    '.TP',
    `\\fB${plain(name)}\\fR ${usage}`.trimEnd(),
    `${plain(command.description())}.`,
    ...(command.options.length === 0 ? [] : ['.RS', ...command.options.flatMap(optionLines), '.RE']),
    ...command.commands.flatMap((sub) => commandLines(sub, name)),
  ];
}

function optionLines(option: Option): string[] {
  return ['.TP', `\\fB${plain(option.flags)}\\fR`, `${plain(option.description)}.`];
}

/** Text in which roff sees no request and no escape. */
function plain(text: string): string {
  const oneLine = text.replace(/\s+/g, ' ').trim();
  const escaped = oneLine.replace(/\\/g, '\\e').replace(/-/g, '\\-');
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function quoted(text: string): string {
  return plain(text).replaceAll('"', '\\(dq');
}
