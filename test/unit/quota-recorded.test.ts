import { expect, it } from 'vitest';
import type { NewEvent } from '../../contract/index.ts';
import { LatestTime } from '../../daemon/runtime/governance/latest-time.ts';
import { QuotaBook } from '../../daemon/runtime/governance/quota-book.ts';
import { QuotaHook } from '../../daemon/runtime/governance/quota-hook.ts';
import { SpentElsewhere } from '../../daemon/runtime/governance/spent-elsewhere.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';

const sealed = (bytes: number): NewEvent => ({
  kind: 'segment.sealed',
  payload: {
    ...{ path: `bags/b/${bytes}.mcap`, bytes, sha256: 'a'.repeat(64), messages: 1 },
    ...{ start_ns: '1', end_ns: '2', bag: 'b', topics: {}, repaired: false },
  },
});

it('counts what the execution cell recorded, before and after this cell began, and refuses clips then', async () => {
  const clock = new ManualClock();
  const log = new MemoryEventLog({ cell: 'execution', clock });
  const book = new QuotaBook(
    [{ tenant: '*', metric: 'recorded_bytes', window: 'total', limit: 1_000 }],
    new LatestTime(clock),
    () => undefined,
  );
  let there = false;
  const elsewhere = new SpentElsewhere({
    clock,
    book,
    open: () => {
      if (!there) throw new Error('no such log');
      return log.reader();
    },
    report: () => {},
  });
  const used = () => book.quotas('local')[0]!.used;
  const step = async (ms: number) => {
    await clock.advance(ms);
    // The log is read beside everything else.
    for (let n = 0; n < 5; n++) await new Promise((resolve) => setImmediate(resolve));
  };
  const clip = () =>
    new QuotaHook(book).decide({
      ...{ point: 'tool', subject: 'recorder.clip', facts: {} },
      context: { tenant: 'lab', principal: 'ada', roles: ['operator'], origin: 'api' },
    });
  await elsewhere.start();
  expect(used()).toBe(0);
  await log.append([sealed(300), { kind: 'link.state', payload: { state: 'connected', reason: '' } }]);
  there = true;
  await step(1_000);
  expect(used()).toBe(300);
  expect((await clip()).decision).toBe('allow');
  await log.append([sealed(700)]);
  elsewhere.grew();
  await step(1_000);
  expect(used()).toBe(1_000);
  expect(await clip()).toMatchObject({ decision: 'deny', code: 'quota.exceeded' });
  // Without news nothing is read, and nothing is counted twice.
  elsewhere.grew();
  await step(3_000);
  expect(used()).toBe(1_000);
  await elsewhere.stop();
});
