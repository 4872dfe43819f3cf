import { expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import { offerClipService } from '../../daemon/compose/recording.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

type Serve = Parameters<typeof offerClipService>[2] & object;

function offered(refusals: EdgeError[]) {
  const clock = new ManualClock();
  const told: string[] = [];
  let tries = 0;
  let open = 0;
  const services = {
    serve: async () => {
      tries++;
      const refusal = refusals.shift();
      if (refusal) throw refusal;
      open++;
      return { close: async () => void open-- };
    },
  };
  const config = { recorder: { clip_service: '/record_clip', mode: 'ring' } };
  const service = offerClipService(
    { config } as never,
    { clock, report: (_level, message) => void told.push(message) },
    { services } as unknown as Serve,
    { clip: async () => ({}) as never },
  );
  return { clock, told, service, tries: () => tries, open: () => open };
}
const notOpen = () =>
  new EdgeError('ros.failed', { operation: 'serve', subject: 'x', message: 'the session is not open' });

it('the clip service is offered again until its session is open, and told of once', async () => {
  const { clock, told, service, open } = offered([notOpen(), notOpen(), notOpen()]);
  for (let n = 0; n < 6; n++) {
    await clock.advance(2_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(open()).toBe(1);
  expect(told).toEqual([
    'the ROS service /record_clip is not offered: the session is not open',
    'the ROS service /record_clip is offered now',
  ]);
  await service.close();
  expect(open()).toBe(0);
});

it('a clip service whose session opens within its second offer is no news', async () => {
  const { clock, told, open } = offered([notOpen()]);
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(2_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(open()).toBe(1);
  expect(told).toEqual([]);
});

it('the clip service is not asked for again where its package is missing, nor after the end', async () => {
  const missing = new EdgeError('sample.unknown_type', { operation: 'serve', subject: 'x' });
  const without = offered([missing]);
  await without.clock.advance(60_000);
  expect(without.tries()).toBe(1);
  expect(without.told).toHaveLength(1);
  const late = offered([notOpen()]);
  await late.clock.advance(1_000);
  await late.service.close();
  await late.clock.advance(60_000);
  expect(late.tries()).toBe(1);
});
