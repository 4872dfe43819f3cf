import { describe, expect, it } from 'vitest';
import type { Sample } from '../../contract/core.ts';
import { Dispatcher, type LaneOwner } from '../../daemon/execution/routes/dispatcher.ts';
import { Lane } from '../../daemon/execution/routes/lane.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { cdr, isBalanced, MemoryKeySpace, numberIn, RouteRig, turns } from '../support/route-rig.ts';

const LARGE_BYTES = 1_000_000;
const LINK_BYTES_PER_MS = 100_000;

/** A link of 100 MB/s that holds one large sample at a time, or 64 KB of small ones; else it is busy. */
class SlowLink implements LaneOwner {
  readonly taken: { topic: string; n: number; waitedMs: number }[] = [];
  readonly offeredMs = new Map<Sample, number>();
  isOpen = true;
  readonly #clock: ManualClock;
  readonly #weights: Readonly<Record<string, number>>;
  #freeMs = 0;

  constructor(clock: ManualClock, weights: Readonly<Record<string, number>>) {
    this.#clock = clock;
    this.#weights = weights;
  }

  weight(lane: Lane): number {
    return this.#weights[lane.topic]!;
  }

  send(lane: Lane, sample: Sample): 'done' | 'busy' {
    const nowMs = this.#clock.monotonicMs();
    const held = Math.max(0, this.#freeMs - nowMs) * LINK_BYTES_PER_MS;
    if (!this.isOpen || held >= 64 * 1024) return 'busy';
    this.#freeMs = Math.max(nowMs, this.#freeMs) + sample.bytes.length / LINK_BYTES_PER_MS;
    const waitedMs = nowMs - this.offeredMs.get(sample)!;
    this.taken.push({ topic: lane.topic, n: numberIn(sample.bytes), waitedMs });
    return 'done';
  }

  forwarded(): void {}
  failed(): void {}

  of(topic: string) {
    return this.taken.filter((one) => one.topic === topic);
  }
}

function rig(weights: Readonly<Record<string, number>>) {
  const clock = new ManualClock();
  const dispatcher = new Dispatcher(clock);
  const link = new SlowLink(clock, weights);
  const dropped: string[] = [];
  const lanes = new Map(
    Object.keys(weights).map((topic) => {
      const limits = { samplesMax: 2_000, bytesMax: 64_000_000 };
      return [topic, new Lane(topic, topic, limits, () => dropped.push(topic))];
    }),
  );
  const offer = (topic: string, n: number, size: number) => {
    const sample: Sample = { topic, type: 't', stamp: 0n, received: 0n, bytes: cdr(n, size) };
    link.offeredMs.set(sample, clock.monotonicMs());
    dispatcher.offer(lanes.get(topic)!, link, sample);
  };
  return { clock, link, offer, dropped };
}

describe('topics that share a transport', () => {
  it('a small one waits for no more than a large sample, however many of those there are', async () => {
    const { clock, link, offer, dropped } = rig({ large: 1, small: 8 });
    for (let n = 0; n < 50; n++) offer('large', n, LARGE_BYTES);
    for (let ms = 0; ms < 2_000; ms++) {
      // Twice what the link carries: the backlog of the large one only grows.
      if (ms % 5 === 0) offer('large', 50 + ms / 5, LARGE_BYTES);
      offer('small', ms, 512);
      await clock.advance(1);
    }
    await clock.advance(50);
    const small = link.of('small');
    expect(small.map(({ n }) => n)).toEqual(Array.from({ length: 2_000 }, (_, n) => n));
    // What is on the link (10 ms), and the turn at which a busy transport is asked again (5 ms).
    expect(Math.max(...small.map(({ waitedMs }) => waitedMs))).toBeLessThanOrEqual(16);
    // The large one had the rest: a link of 10 ms for each, asked every 5 ms.
    expect(link.of('large').length).toBeGreaterThan(120);
    expect(dropped.filter((topic) => topic === 'small')).toEqual([]);
  });

  it('share it by their weights, in order, and none is left out', async () => {
    const { clock, link, offer } = rig({ background: 1, data: 4, real_time: 64 });
    link.isOpen = false;
    for (let n = 0; n < 32; n++)
      for (const topic of ['background', 'data', 'real_time']) offer(topic, n, LARGE_BYTES);
    await clock.advance(500);
    link.isOpen = true;
    while (link.taken.length < 46) await clock.advance(5);
    const shares = ['real_time', 'data', 'background'].map((topic) => link.of(topic).length);
    // While all three wait: 64 to 4 to 1. When the first is through: 4 to 1.
    expect(shares[0]).toBe(32);
    expect(shares[1]! / shares[2]!).toBeGreaterThan(2.5);
    await clock.advance(2_000);
    for (const topic of ['background', 'data', 'real_time'])
      expect(link.of(topic).map(({ n }) => n)).toEqual(Array.from({ length: 32 }, (_, n) => n));
  });

  it('one that was refused for long owes nothing for it', async () => {
    const { clock, link, offer } = rig({ large: 1, other: 1 });
    link.isOpen = false;
    for (let n = 0; n < 20; n++) offer('large', n, LARGE_BYTES);
    await clock.advance(10_000);
    link.isOpen = true;
    for (let n = 0; n < 20; n++) offer('other', n, LARGE_BYTES);
    while (link.taken.length < 20) await clock.advance(5);
    expect(link.of('large').length).toBeGreaterThanOrEqual(9);
  });
});

describe('a reader that stands still', () => {
  const TWO = (congestion: string) =>
    ['one', 'two', 'three', 'four', 'five', 'well']
      .map(
        (name) =>
          `[[routes]]\nname = "${name}"\nfrom = "ros:/${name}/**"\nto = "zenoh:{topic}"\ncongestion = "${congestion}"\n`,
      )
      .join('');

  it.each(['block', 'drop'])('does not delay another route (congestion %s)', async (congestion) => {
    const rig = new RouteRig(TWO(congestion));
    const session = new MemoryKeySpace(rig.clock);
    const put = session.put.bind(session);
    // Zenoh that blocks holds the sample; one that drops has taken it all the same.
    session.put = (key, payload, options) =>
      key.startsWith('well') || key.startsWith('@') || options?.congestion === 'drop'
        ? put(key, payload, options)
        : new Promise(() => {});
    await rig.start(session);
    for (let n = 0; n < 100; n++) {
      const bytes = cdr(n, LARGE_BYTES);
      for (const name of ['one', 'two', 'three', 'four', 'five']) rig.say(`/${name}/image`, bytes);
      rig.say('/well/joints', cdr(n, 512));
      await turns(1);
      await rig.clock.advance(10);
    }
    await turns();
    expect(rig.line('/well/joints')).toMatchObject({ received: 100, forwarded: 100, dropped: {} });
    if (congestion === 'drop') expect(rig.line('/one/image')).toMatchObject({ forwarded: 100 });
    else expect(rig.line('/one/image')!.dropped.queue_full).toBeGreaterThan(30);
    const status = rig.routes.status();
    // What a dead reader holds is bounded: 128 MB that wait and 64 MB in flight.
    expect(status.reduce((sum, { queued_bytes }) => sum + queued_bytes, 0)).toBeLessThan(193 * 1024 * 1024);
    await rig.clock.advance(4_000);
    expect(rig.routes.status().at(-1)).toMatchObject({ name: 'well', state: 'up' });
    if (congestion === 'block') expect(rig.routes.status()[0]).toMatchObject({ state: 'silent' });
    const closing = rig.routes.close();
    await rig.clock.advance(2_000);
    await closing;
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });
});
