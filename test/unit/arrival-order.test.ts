import { describe, expect, it } from 'vitest';
import { ArrivalOrder, hasCome, isSegmentSince } from '../../daemon/execution/recorder/arrival-order.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const MS = 1_000_000n;

/** One channel, whose samples are counted as the recorder does. */
function made() {
  const clock = new ManualClock();
  const channel = { id: 1, topic: '/a', type: 't', sequence: 0 };
  const order = new ArrivalOrder(clock, () => [channel]);
  order.begins('bag', 4);
  const take = (ms: number) => {
    order.take(BigInt(ms) * MS);
    channel.sequence += 1;
  };
  return { clock, channel, order, take };
}

describe('the order of arrival', () => {
  it('knows the newest, late samples included, and where the clock was set back', () => {
    const { order, take } = made();
    for (const ms of [10_000, 10_500, 10_200]) take(ms);
    expect([order.newestNs, order.since]).toEqual([10_500n * MS, undefined]);
    for (const ms of [7_000, 7_100]) take(ms);
    expect(order.newestNs).toBe(7_100n * MS);
    expect(order.since).toEqual({ sequences: { 1: 3 }, segments: { bag: 4 } });
    const came = [0, 2, 3, 4].map((sequence) => hasCome(order.since, { channelId: 1, sequence }));
    expect(came).toEqual([false, false, true, true]);
    expect(hasCome(order.since, { channelId: 2, sequence: 0 })).toBe(true);
    expect([3, 4].map((number) => isSegmentSince(order.since, 'bag', number))).toEqual([false, true]);
    expect([isSegmentSince(order.since, 'other', 0), isSegmentSince(undefined, 'bag', 0)]).toEqual([
      true,
      true,
    ]);
  });

  it('takes a step back for none where the clock goes forward again by more than the time that passed', async () => {
    const { clock, order, take } = made();
    take(10_000);
    take(4_000);
    await clock.advance(100);
    take(10_100);
    expect(order.since).toBeUndefined();
  });

  it('keeps it where the time simply went on, however long nothing came', async () => {
    const { clock, order, take } = made();
    take(10_000);
    take(4_000);
    await clock.advance(9_000);
    take(13_000);
    expect(order.since).toBeDefined();
  });

  it('counts on where sequence numbers begin again', () => {
    const { channel, order, take } = made();
    channel.sequence = 2 ** 32 - 1;
    take(10_000);
    channel.sequence = 2 ** 32 - 2;
    take(4_000);
    const came = [2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 0, 7].map((sequence) =>
      hasCome(order.since, { channelId: 1, sequence }),
    );
    expect(came).toEqual([false, true, true, true, true]);
  });
});
