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

it('a thread that is silent at its start is ended, so that the next can begin', async () => {
  const clock = new ManualClock();
  const asks = new ThreadAsks(clock);
  let ended = 0;
  const thread = {
    async terminate() {
      ended += 1;
    },
  };
  await asks.ready(thread, Promise.resolve());
  expect(ended).toBe(0);
  const late = expect(asks.ready(thread, new Promise(() => {}))).rejects.toMatchObject({
    code: 'deadline.exceeded',
  });
  await clock.advance(60_000);
  await late;
  expect(ended).toBe(1);
});
