import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import type { OpenRecorded } from '../../contract/index.ts';
import { MessageBus } from '../../daemon/cell/message-bus.ts';
import type { Broadcast, FromCell, Request, Response } from '../../daemon/cell/wire.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { logged } from '../conformance/lake.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { recorded, sealedEvent } from './recorded-topics.ts';
import { runEvents } from './sample-events.ts';
import { peakBytes, StallMeter } from './stall-meter.ts';

/** The memory cell with the real engine in a process of its own, as the supervisor would start it. */
const [, , , dataDir = ''] = process.argv;
const clock = new SystemClock();
/** Topics of a hostile recording: endless, with long lists, and with large texts. */
const openRecorded: OpenRecorded = async function* () {
  const lists = recorded('/m', 'p_msgs/msg/Lists', { a: new Float64Array(8_000) }, 0, 'float64[] a');
  const text = recorded('/m', 'std_msgs/msg/String', { data: 'x'.repeat(60_000) }, 1);
  for (;;) yield* [lists, text];
};
const lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock, openRecorded });
await lake.project(
  'execution',
  await logged('execution', [sealedEvent('bags/a/0.mcap', [recorded('/m', 'std_msgs/msg/Empty', {}, 0)])]),
);
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
