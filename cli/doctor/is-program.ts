import { findProgram } from '../../adapters/sandbox/programs.ts';

/** Whether this command could be started: a path, or a name on the PATH. */
export function isProgram(command: string): boolean {
  return findProgram(command, process.env['PATH'] ?? '') !== undefined;
}
