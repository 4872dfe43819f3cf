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
  it('knows the newest, late samples included, and where the clock was set back', async () => {
    const { clock, order, take } = made();
    for (const ms of [10_000, 10_500, 10_200]) take(ms);
    expect([order.newestNs, order.since]).toEqual([10_500n * MS, undefined]);
    for (const ms of [7_000, 7_100]) take(ms);
    expect([order.newestNs, order.since]).toEqual([7_100n * MS, undefined]);
    await clock.advance(1_000);
    take(8_100);
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
    for (const ms of [4_000, 4_010]) take(ms);
    await clock.advance(9_000);
    take(13_010);
    expect(order.since).toEqual({ sequences: { 1: 1 }, segments: { bag: 4 } });
  });

  it('counts on where sequence numbers begin again', async () => {
    const { clock, channel, order, take } = made();
    channel.sequence = 2 ** 32 - 1;
    take(10_000);
    channel.sequence = 2 ** 32 - 2;
    for (const ms of [4_000, 4_010]) take(ms);
    await clock.advance(1_000);
    take(5_010);
    const came = [2 ** 32 - 3, 2 ** 32 - 2, 2 ** 32 - 1, 0, 7].map((sequence) =>
      hasCome(order.since, { channelId: 1, sequence }),
    );
    expect(came).toEqual([false, true, true, true, true]);
  });

  it('takes two clocks for none that was set, whichever came last', async () => {
    const { clock, order, take } = made();
    for (let ms = 0; ms < 5_000; ms += 100) {
      for (let n = 0; n < 5; n++) take(1_000 + ms + n);
      if (ms >= 2_000) take(60_000_000 + ms);
      if (ms >= 2_000) take(1_000 + ms + 5);
      expect(order.since).toBeUndefined();
      await clock.advance(100);
    }
    expect(order.newestNs).toBe(5_905n * MS);
  });

  it('takes a sample from the future for nothing but that', async () => {
    const { clock, order, take } = made();
    for (let ms = 0; ms < 5_000; ms += 100) {
      take(10_000 + ms);
      if (ms === 2_000) take(20_000);
      await clock.advance(100);
    }
    expect([order.newestNs, order.since]).toEqual([14_900n * MS, undefined]);
  });

  it('knows of the step of one clock beside another that goes on', async () => {
    const { clock, order, take } = made();
    for (let n = 0; n < 30; n++) {
      take(600_000 + n * 100);
      take(n < 10 ? 10_000 + n * 100 : n * 100);
      await clock.advance(100);
    }
    expect(order.since).toEqual({ sequences: { 1: 21 }, segments: { bag: 4 } });
  });

  it('takes what comes late for a while for no step', async () => {
    const { clock, order, take } = made();
    for (let ms = 0; ms < 3_000; ms += 100) {
      take(10_000 + ms);
      if (ms >= 1_000) for (let n = 0; n < 5; n++) take(5_000 + ms + n);
      await clock.advance(100);
    }
    expect(order.since).toBeUndefined();
  });

  it('counts a simulation that leaps after its step still from that step', async () => {
    const { clock, order, take } = made();
    take(100_000);
    for (let ms = 0; ms < 30_000; ms += 1_500) {
      for (let n = 0; n < 3; n++) take(ms + n);
      await clock.advance(100);
    }
    expect(order.since).toEqual({ sequences: { 1: 1 }, segments: { bag: 4 } });
  });

  it('looks at the channels no more than once a second, whatever comes', async () => {
    const clock = new ManualClock();
    let looks = 0;
    const order = new ArrivalOrder(clock, () => {
      looks += 1;
      return [];
    });
    for (let n = 0; n < 2_000; n++) {
      order.take(BigInt(((n * 7_919) % 1_000) * 10_000) * MS);
      await clock.advance(1);
    }
    expect(looks).toBeLessThanOrEqual(3);
  });
});
