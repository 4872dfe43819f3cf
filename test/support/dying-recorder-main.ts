import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { FromThread, ThreadOptions, ToThread } from '../../daemon/execution/recorder/protocol.ts';
import { RecordingThread } from '../../daemon/execution/recorder/recording-thread.ts';

/** The recorder's thread, except that its first life ends with an uncaught error at its second block. */
const options = workerData as ThreadOptions;
const marker = join(options.dataDir, 'died-once');
const isFirst = !existsSync(marker);
writeFileSync(marker, '');
const port = parentPort!;
const thread = new RecordingThread(options, new SystemClock(), (message: FromThread) =>
  port.postMessage(message),
);
let blocks = 0;
await thread.start();
port.on('message', (message: ToThread) => {
  if (message.t === 'block' && isFirst && ++blocks === 2) throw new Error('a defect of this test');
  thread.receive(message);
});
