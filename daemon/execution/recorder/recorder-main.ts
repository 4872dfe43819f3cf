import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import type { FromThread, ThreadOptions, ToThread } from './protocol.ts';
import { RecordingThread } from './recording-thread.ts';

/** Entry of the recorder's worker thread. As an entry it makes its own clock: no caller can inject one. */
const port = parentPort!;
const thread = new RecordingThread(workerData as ThreadOptions, new SystemClock(), (message: FromThread) =>
  port.postMessage(message),
);
// Only now: what is posted before the repair is done waits in the port.
await thread.start();
port.on('message', (message: ToThread) => thread.receive(message));
