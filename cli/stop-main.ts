/** `auraison estop` and nothing else. What is imported here delays an emergency stop: test/unit/small-processes.test.ts. */
import { addEstopCommands } from './commands/estop.ts';
import { makeProgram, runProgram } from './program.ts';

const program = makeProgram();
addEstopCommands(program);
await runProgram(program);
