import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { type CellContext, EdgeError, METHODS } from '../../contract/index.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { runEvents } from '../support/sample-events.ts';

const clock = new SystemClock();
const { memory } = METHODS;

let dataDir: string;
let cell: MemoryCell;
let fault: EdgeError | undefined;
let lake: DuckLakeLake;
const bus = new FakeBus(clock);
const runs = async () => {
  const asked = bus.request<{ rows: unknown[][] }>(
    'memory',
    memory.query,
    { sql: 'SELECT count(*) FROM runs' },
    9e3,
  );
  return (await asked).rows[0]?.[0];
};

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'auraison-memory-'));
  const own = new MemoryEventLog({ cell: 'memory', clock });
  const runtime = new MemoryEventLog({ cell: 'runtime', clock });
  await runtime.append(runEvents(1));
  const none = new MemoryEventLog({ cell: 'link', clock });
  const context: CellContext = {
    ...{ name: 'memory', clock, log: own, bus, dataDir, attempt: 0, startReason: 'test' },
    report: () => {},
    emit: async (events) => void (await own.append(events)),
  };
  const options = { dataDir, extensionDirectories: [], clock };
  cell = new MemoryCell(context, {
    // As a lake that another fault keeps shut until its files are gone.
    openLake: async (anew) => {
      if (fault && !anew) throw fault;
      fault = undefined;
      lake = await DuckLakeLake.open(options, anew);
      return lake;
    },
    openReader: (name) => (name === 'runtime' ? runtime : none).reader(),
    openSegment: async function* () {},
  });
});
afterEach(async () => {
  await cell.stop();
  await rm(dataDir, { recursive: true, force: true });
});

it('is rebuilt when it is asked for, also where the lake cannot be opened', async () => {
  fault = new EdgeError('lake.unavailable', { operation: 'lake.open', subject: 'lake', message: 'broken' });
  await cell.start();
  await expect(runs()).rejects.toMatchObject({ code: 'lake.unavailable' });
  await bus.request('memory', memory.rebuild, {}, 9_000);
  expect(await runs()).toBe(1);
  await bus.request('memory', memory.rebuild, {}, 9_000);
  expect(await runs()).toBe(1);
});

it('is dropped once, however often it is asked for before it is filled; and again when that is over', async () => {
  await cell.start();
  await bus.request('memory', memory.sync, {}, 9_000);
  const under = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const rebuild = lake.rebuild.bind(lake);
  let dropped = 0;
  lake.rebuild = async (of) => {
    dropped += 1;
    under.resolve();
    await goOn.promise;
    await rebuild(of);
  };
  const ask = () => bus.request('memory', memory.rebuild, {}, 9_000);
  const first = ask();
  await under.promise;
  const again = ask();
  goOn.resolve();
  expect(await again).toEqual(await first);
  await bus.request('memory', memory.sync, {}, 9_000);
  expect([dropped, await runs()]).toEqual([1, 1]);
  await ask();
  expect([dropped, await runs()]).toEqual([2, 1]);
});
