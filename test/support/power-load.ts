/**
 * The load of the power-cut test: appends events, projects them into the lake and records samples until it
 * is killed, saying on standard output what it has been promised:
 *   a <seq> <hash>        an event that the log acknowledged
 *   l <seq>               the lake has committed the log up to here
 *   s <path> <sha256>     a sealed segment whose events are in the log
 * Argument: the data directory.
 */
import { mkdirSync } from 'node:fs';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { cacheDirectory, DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { openEventReader, SqliteEventLog } from '../../adapters/event-log/index.ts';
import { type NewEvent, pause } from '../../contract/index.ts';
import { Ledger } from '../../daemon/execution/bus/index.ts';
import { Recorder } from '../../daemon/execution/recorder/index.ts';
import { Projector } from '../../daemon/memory/projector.ts';
import { sampleOf } from './recorder.ts';
import { say } from './say.ts';

const dataDir = process.argv[2]!;
const clock = new SystemClock();
const intakeDir = `${dataDir}-intake`;
mkdirSync(intakeDir, { recursive: true });
const log = await SqliteEventLog.open({ dataDir, cell: 'execution', clock });
const lake = await DuckLakeLake.open({ dataDir, clock, extensionDirectories: [cacheDirectory()] });
const projector = new Projector((cell) => openEventReader(dataDir, cell));
const recorder = new Recorder({
  clock,
  dataDir,
  bag: 'load',
  // Beside the mount, where the test cleans up.
  intakeDir,
  ledger: new Ledger(),
  segmentBytesMax: 1 << 30,
  segmentMs: 400,
  syncMs: 50,
  freeSpaceFloorBytes: 0,
  emit: append,
  report: (level, message) => {
    if (level === 'error') process.stderr.write(`${message}\n`);
  },
});

async function append(events: readonly NewEvent[]): Promise<void> {
  const done = await log.append(events);
  say(done.map((event) => `a ${event.seq} ${event.hash}\n`).join(''));
  for (const event of done)
    if (event.kind === 'segment.sealed') say(`s ${event.payload.path} ${event.payload.sha256}\n`);
}

async function appendForever(stream: number): Promise<void> {
  for (let n = 0; ; n++) {
    const facts = { text: 'x'.repeat((n * 37) % 900) };
    await append([{ kind: 'run.phase', payload: { phase: 'load', reason: `${stream}.${n}`, facts } }]);
    await pause(clock, 15);
  }
}

async function projectForever(): Promise<void> {
  for (;;) {
    const round = await projector.round(lake, () => false);
    say(`l ${round.projected.execution ?? 0}\n`);
    await pause(clock, 20);
  }
}

async function recordForever(): Promise<void> {
  await recorder.start();
  for (let n = 0; ; n++) {
    recorder.offer(sampleOf('/fast', n, 200));
    if (n % 20 === 0) recorder.offer(sampleOf('/large', n, 20_000));
    if (n % 5 === 0) await pause(clock, 5);
  }
}

say(`ready ${lake.info().kind}\n`);
await Promise.all([1, 2, 3, 4].map(appendForever).concat(projectForever(), recordForever()));
