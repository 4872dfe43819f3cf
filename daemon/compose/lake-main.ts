/** Entry of the process of the lakehouse's engine: started by the memory cell when the lake is used, ended when it rests. */
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { HostedLake } from '../../adapters/ducklake/hosted-lake.ts';
import {
  cacheDirectory,
  installDucklakeExtension,
  LakePlaces,
  searchDirectories,
} from '../../adapters/ducklake/index.ts';
import type { ToLake } from '../../adapters/ducklake/lake-wire.ts';
import { recordedOnUse } from '../../adapters/rosbag/on-use.ts';
import { forgetAllocator } from '../cell/allocator.ts';

if (!process.send) {
  process.stderr.write('lake-main is started by the daemon, not by hand: auraison up\n');
  process.exit(2);
}
process.title = 'auraison-lake';
forgetAllocator(process.env);
const clock = new SystemClock();
const host = new HostedLake({
  clock,
  send: (message) => {
    if (process.connected) process.send!(message, undefined, {}, () => {});
  },
  open: ({ dataDir, isPlain, topics, anew }, commits, report) =>
    new LakePlaces(
      {
        ...{ dataDir, clock, topics, commits, report },
        extensionDirectories: isPlain ? [] : searchDirectories(dataDir),
        openRecorded: recordedOnUse(dataDir),
      },
      undefined,
    ).open(anew),
  install: () => installDucklakeExtension({ directory: cacheDirectory(), clock }),
});

process.on('message', (message) => void host.receive(message as ToLake));
// The cell closes the lake; a signal of the terminal reaches all processes at once and is not that.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// Without its cell nothing waits for what still runs, and ending with threads of the engine at work may hang: as by a power cut.
process.on('disconnect', () => {
  if (host.isClosed) process.exit(0);
  process.kill(process.pid, 'SIGKILL');
});
