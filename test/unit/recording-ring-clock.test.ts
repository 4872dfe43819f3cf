import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EventPayload } from '../../contract/index.ts';
import type { RecorderListener } from '../../daemon/execution/recorder/index.ts';
import { Retention } from '../../daemon/execution/recording/retention.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder, makeRecorder, sampleOf } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const SECOND = 1_000_000_000n;
const HOUR = 3_600n * SECOND;
const NOW = 100n * HOUR;

/** A ring of a minute. `seal`: a segment that ends at this time of the samples. */
function makeRing() {
  const clock = new ManualClock();
  const evicted: string[] = [];
  let listener: RecorderListener = {};
  const recorder = {
    newestNs: 0n,
    bag: 'ring',
    listen: (given: RecorderListener) => {
      listener = given;
    },
    evict: async ({ paths }: { paths: readonly string[] }) => {
      evicted.push(...paths);
      for (const path of paths) listener.onEvicted?.({ path } as EventPayload<'segment.evicted'>);
    },
  };
  const retention = new Retention({
    ...{ clock, dataDir, recorder, neededFromNs: () => undefined, mayEvict: () => 'lost' as const },
    ...{ isWhole: () => false, discard: async () => {}, report: () => {} },
    policies: [{ kind: 'ring', bag: 'ring', durationMs: 60_000, bytesMax: 1 << 30 }],
  });
  let number = 0;
  const seal = (endNs: bigint) => {
    recorder.newestNs = endNs;
    const times = { start_ns: '0', end_ns: endNs.toString() };
    const path = `bags/ring/ring_${number++}.mcap`;
    const facts = { sha256: '0'.repeat(64), bytes: 100, messages: 1, topics: {}, repaired: false };
    listener.onSealed?.({ bag: 'ring', path, ...times, ...facts });
  };
  return { clock, retention, evicted, seal };
}

describe('a ring whose samples have a clock that is set', () => {
  it('back: keeps what is sealed since, and lets go of what was before when its while is over', async () => {
    const { clock, retention, evicted, seal } = makeRing();
    seal(NOW);
    await clock.advance(10_000);
    for (let n = 1n; n <= 5n; n++) {
      seal(NOW - 2n * HOUR + n * 10n * SECOND);
      await clock.advance(10_000);
      await retention.look();
    }
    expect(evicted).toEqual([]);
    for (let n = 6n; n <= 7n; n++) {
      seal(NOW - 2n * HOUR + n * 10n * SECOND);
      await clock.advance(10_000);
      await retention.look();
    }
    expect(evicted).toEqual(['bags/ring/ring_0.mcap']);
  });

  it('forward: keeps what was sealed within its while', async () => {
    const { clock, retention, evicted, seal } = makeRing();
    for (let n = 0n; n < 3n; n++) seal(NOW + n * SECOND);
    await clock.advance(30_000);
    seal(NOW + 2n * HOUR);
    await retention.look();
    expect(evicted).toEqual([]);
    await clock.advance(31_000);
    await retention.look();
    expect(evicted).toEqual([0, 1, 2].map((n) => `bags/ring/ring_${n}.mcap`));
  });
});

it('the newest sample is the newest of its clock: samples that overtake each other set nothing back', () => {
  const { recorder } = makeRecorder(dataDir);
  const newestAfter = (number: number) => {
    recorder.offer(sampleOf('/a', number));
    return recorder.newestNs - sampleOf('/a', 0).received;
  };
  expect(newestAfter(7_200_000)).toBe(2n * HOUR);
  expect(newestAfter(7_199_100)).toBe(2n * HOUR);
  expect(newestAfter(5_000)).toBe(5n * SECOND);
  expect(newestAfter(5_001)).toBe(5_001_000_000n);
});
