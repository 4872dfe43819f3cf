import type { Command } from 'commander';
import { addCatCommand } from './cat.ts';
import { addConvertCommand } from './convert.ts';
import { addCutCommand } from './cut.ts';
import { addImportCommand } from './import.ts';
import { addInfoCommand } from './info.ts';
import { addPlayCommand } from './play.ts';
import { addRecordCommand } from './record.ts';

export function addBagCommands(program: Command): void {
  const bag = program
    .command('bag')
    .description('recordings: look at one, play, record, cut, convert, export, take one in');
  for (const add of [
    addInfoCommand,
    addPlayCommand,
    addRecordCommand,
    addCutCommand,
    addConvertCommand,
    addCatCommand,
    addImportCommand,
  ]) {
    add(bag);
  }
}
