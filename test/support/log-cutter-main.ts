/** A process that cuts a log at a position and removes it step by step until it is killed. Arguments: file, position, key directory. */
import { checkpointKey, LogCutter } from '../../adapters/event-log/index.ts';
import { say } from './say.ts';

const [path, through, dataDir] = process.argv.slice(2) as [string, string, string];
const cutter = LogCutter.open(path)!;
if (!cutter.cut || cutter.cut.through < Number(through))
  cutter.checkpoint(Number(through), checkpointKey(dataDir), BigInt(Date.now()) * 1_000_000n);
say('cut\n');
while (cutter.step()) {
  say('step\n');
  // What kills it has a moment between two steps.
  await new Promise((resolve) => setTimeout(resolve, 1));
}
cutter.close();
say('done\n');
