import { expect, it } from 'vitest';
import { ThreadAsks } from '../../daemon/execution/recorder/thread-asks.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

it('a thread that goes on telling may take longer than the time for its silence', async () => {
  const clock = new ManualClock();
  const asks = new ThreadAsks(clock);
  const { promise: ready, resolve } = Promise.withResolvers<string>();
  const within = asks.within(60_000, ready, 'start', 'recorder');
  for (let n = 0; n < 10; n++) {
    await clock.advance(40_000);
    asks.progress();
  }
  resolve('ready');
  expect(await within).toBe('ready');
  const silent = asks.within(60_000, new Promise(() => {}), 'start', 'recorder');
  const failed = expect(silent).rejects.toMatchObject({ code: 'deadline.exceeded', operation: 'start' });
  await clock.advance(60_000);
  await failed;
  const refused = asks.within(60_000, Promise.reject(new Error('no thread')), 'start', 'recorder');
  await expect(refused).rejects.toThrow('no thread');
});
