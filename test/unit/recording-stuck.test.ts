import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EdgeError, type EventPayload } from '../../contract/index.ts';
import type { Eviction, RecorderListener } from '../../daemon/execution/recorder/index.ts';
import { Retention, type RetentionPolicy } from '../../daemon/execution/recording/retention.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const failed = (retryable: boolean) =>
  new EdgeError('recorder.failed', { operation: 'delete segment', subject: 'it', retryable });
const pathOf = (bag: string, n: number) => `bags/${bag}/${bag}_${n}.mcap`;

/** Segments of 100 bytes, of which those of `stuck` cannot be deleted, nor anything while there is a fault. */
function makeRetention(policy: RetentionPolicy, stuck: readonly string[], whole = '') {
  const clock = new ManualClock();
  const [evicted, reports]: [string[], string[]] = [[], []];
  const state: { fault?: Error | undefined } = {};
  let listener: RecorderListener = {};
  const evict = async (paths: readonly string[]) => {
    if (state.fault) throw state.fault;
    for (const path of paths.filter((one) => !stuck.includes(one))) {
      evicted.push(path);
      listener.onEvicted?.({ path } as EventPayload<'segment.evicted'>);
    }
    if (paths.some((one) => stuck.includes(one))) throw failed(false);
  };
  const recorder = {
    newestNs: 1n,
    bag: 'bag',
    listen: (given: RecorderListener) => {
      listener = given;
    },
    evict: ({ paths }: Eviction) => evict(paths),
  };
  const retention = new Retention({
    ...{ clock, dataDir, recorder, neededFromNs: () => undefined, mayEvict: () => 'lost' as const },
    isWhole: (bag) => bag === whole,
    discard: (bag) => evict([pathOf(bag, 0)]),
    report: (_level, message) => void reports.push(message),
    policies: [policy],
  });
  for (const bag of whole === '' ? ['bag'] : [whole, 'bag'])
    for (let n = 0; n < (bag === whole ? 1 : 5); n++) {
      const facts = { sha256: '0'.repeat(64), bytes: 100, messages: 1, topics: {}, repaired: false };
      retention.add({ bag, path: pathOf(bag, n), start_ns: '1', end_ns: '1', ...facts });
    }
  return { clock, retention, evicted, reports, state };
}

const quota = { kind: 'quota', bytesMax: 400 } as const;

describe('a segment that cannot be deleted', () => {
  it.each([quota, { kind: 'ring', bag: 'bag', durationMs: 1e9, bytesMax: 400 } as const])(
    'keeps no other from being deleted instead: $kind',
    async (policy) => {
      const { clock, retention, evicted, reports } = makeRetention(policy, [pathOf('bag', 0)]);
      for (let n = 0; n < 3; n++) await retention.look();
      expect(evicted).toEqual([pathOf('bag', 1)]);
      await clock.advance(61_000);
      for (let n = 0; n < 3; n++) await retention.look();
      expect([evicted.length, retention.bytes]).toEqual([1, 400]);
      expect(reports).toEqual([expect.stringContaining('bag_0.mcap cannot be deleted')]);
    },
  );

  it('is tried again after a while', async () => {
    const stuck = [pathOf('bag', 0)];
    const { clock, retention, evicted } = makeRetention({ ...quota, bytesMax: 300 }, stuck);
    await retention.look();
    expect(evicted).toEqual([pathOf('bag', 1)]);
    stuck.pop();
    await clock.advance(61_000);
    await retention.look();
    expect(evicted).toEqual([pathOf('bag', 1), pathOf('bag', 0)]);
  });

  it('is none where only the recorder was away', async () => {
    const { retention, evicted, state } = makeRetention(quota, []);
    state.fault = failed(true);
    await retention.look();
    state.fault = undefined;
    await retention.look();
    expect(evicted).toEqual([pathOf('bag', 0)]);
  });

  it('may be a whole episode', async () => {
    const { retention, evicted, reports } = makeRetention(
      { ...quota, bytesMax: 500 },
      [pathOf('episode', 0)],
      'episode',
    );
    for (let n = 0; n < 3; n++) await retention.look();
    expect(evicted).toEqual([pathOf('bag', 0)]);
    expect(reports).toHaveLength(1);
  });
});
