import { afterEach, beforeEach, expect, it, type MockInstance, vi } from 'vitest';
import { addTopicsCommands } from '../../cli/commands/topics.ts';
import { makeProgram } from '../../cli/program.ts';

let noted: MockInstance;
let exitCode: typeof process.exitCode;
beforeEach(() => {
  exitCode = process.exitCode;
  noted = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  // Nobody listens there: what is wrong is said before anybody is asked.
  vi.stubEnv('AURAISON_URL', 'http://127.0.0.1:1');
  vi.stubEnv('AURAISON_TOKEN', 'token');
});
afterEach(() => {
  process.exitCode = exitCode;
  noted.mockRestore();
  vi.unstubAllEnvs();
});

it.each([
  ['topics echo odom', 'a topic like /odom expected, found odom'],
  ['topics hz /odom.twist', 'a topic like /odom expected, found /odom.twist'],
  ['topics echo /odom --seconds 99999999', '--seconds 99999999: a number above 0, at most 1000000, expected'],
  ['topics echo /odom --count 0', '--count 0: a number above 0 expected'],
])('%s is refused at once, with what is expected', async (words, said) => {
  const program = makeProgram();
  addTopicsCommands(program);
  await program.parseAsync(['node', 'auraison', ...words.split(' ')]);
  expect(process.exitCode).toBe(1);
  expect(noted.mock.calls.join('')).toContain(said);
});
