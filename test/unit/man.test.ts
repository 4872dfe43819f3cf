import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { manualPage } from '../../cli/commands/man.ts';

function page(): string {
  const program = new Command('auraison')
    .description('moves robots')
    .version('1.2.3')
    .option('--json', 'as JSON');
  const bag = program.command('bag').description('recordings');
  bag
    .command('cut <file> [parts...]')
    .description('.starts with a dot, and has a \\ in it')
    .option('--from <time>', "'quoted'");
  return manualPage(program);
}

describe('the manual page', () => {
  it('has each command with its arguments and options', () => {
    expect(page()).toContain('.TH AURAISON 1 "" "auraison 1.2.3"');
    expect(page()).toContain('\\fBbag cut\\fR \\fIfile\\fR [\\fIparts\\fR...]');
    expect(page()).toContain('\\fB\\-\\-from <time>\\fR');
  });

  it('has no line of a text that roff would take for a request or an escape', () => {
    expect(page()).toContain('\\&.starts with a dot, and has a \\e in it.');
    expect(page()).toContain("\\&'quoted'.");
  });
});
