import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import type { Broadcast, FromCell, Request, Response } from '../../daemon/cell/wire.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { logged } from '../conformance/lake.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { runEvents } from './sample-events.ts';
import { peakBytes, StallMeter } from './stall-meter.ts';

/** The memory cell with the real engine in a process of its own, as the supervisor would start it. */
const [, , , dataDir = ''] = process.argv;
const clock = new SystemClock();
const lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock });
await lake.project('runtime', await logged('runtime', runEvents(0, 20)));
const log = new MemoryEventLog({ cell: 'memory', clock });
const bus = new MessageBus('memory', clock, (message: FromCell) => process.send?.(message));
const cell = new MemoryCell(
  {
    ...{ name: 'memory', clock, log, bus, dataDir, attempt: 0, startReason: 'test' },
    report: () => {},
    emit: async () => {},
  },
  { openLake: async () => lake, openReader: () => log.reader(), openSegment: async function* () {} },
);
await cell.start();
const meter = new StallMeter();

process.on('message', (message: Request | Response | Broadcast | { t: 'meters' }) => {
  if (message.t === 'meters') {
    const overdue = cell.work().find(({ name }) => name === 'interrupted queries');
    const isOverdue = overdue !== undefined && overdue.waiting > 0;
    process.send?.({
      ...{ t: 'meters', stallMs: meter.longestMs, peakBytes: peakBytes() },
      overdue: isOverdue ? overdue.done : 0,
    });
  } else void bus.receive(message);
});
process.on('disconnect', () => process.exit(0));
process.send?.({ t: 'ready' });
