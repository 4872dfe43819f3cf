/** `auraison estop` and `auraison stop`, and nothing else. What is imported here delays an emergency stop: test/unit/small-processes.test.ts. */
import { addEstopCommands } from './commands/estop.ts';
import { addStopCommand } from './commands/stop.ts';
import { makeProgram, runProgram } from './program.ts';

const program = makeProgram();
addStopCommand(program);
addEstopCommands(program);
await runProgram(program);
