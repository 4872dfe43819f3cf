import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitThread, SqliteEventLog } from '../../adapters/event-log/index.ts';
import { eventLogConformance } from '../conformance/event-log.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';

eventLogConformance('in memory', async () => {
  const disk = new MemoryLogDisk();
  return {
    open: async (clock) => new MemoryEventLog({ cell: 'runtime', clock, disk }),
    dispose: async () => {},
  };
});

for (const thread of ['worker', 'caller'] satisfies CommitThread[]) {
  eventLogConformance(`SQLite, ${thread} thread`, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'auraison-log-'));
    return {
      open: (clock) => SqliteEventLog.open({ dataDir, cell: 'runtime', clock, thread }),
      dispose: () => rm(dataDir, { recursive: true, force: true }),
    };
  });
}
