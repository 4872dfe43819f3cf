import { afterEach, beforeEach, expect, it } from 'vitest';
import type { EventPayload } from '../../contract/index.ts';
import type { Eviction, RecorderListener } from '../../daemon/execution/recorder/index.ts';
import { Retention } from '../../daemon/execution/recording/retention.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

/** Four segments of 100 bytes: two of an episode, which goes as a whole, then two of a bag. Room for one. */
function makeRetention(words: Record<string, 'no' | 'lost' | 'kept'>) {
  const [gone, discarded]: [Eviction[], string[]] = [[], []];
  let listener: RecorderListener = {};
  const left = (path: string) => listener.onEvicted?.({ path } as EventPayload<'segment.evicted'>);
  const retention = new Retention({
    ...{ clock: new ManualClock(), dataDir, neededFromNs: () => undefined, report: () => {} },
    recorder: {
      ...{ newestNs: 1n, bag: 'now' },
      listen: (given) => {
        listener = given;
      },
      evict: async (eviction) => {
        if (eviction.paths.length > 0) gone.push(eviction);
        for (const path of eviction.paths) left(path);
      },
    },
    mayEvict: (path) => words[path] ?? 'no',
    isWhole: (bag) => bag === 'try',
    discard: async (bag) => {
      discarded.push(bag);
      for (const n of [0, 1]) left(`bags/try/try_${n}.mcap`);
    },
    policies: [{ kind: 'quota', bytesMax: 100 }],
  });
  for (const path of [
    'bags/try/try_0.mcap',
    'bags/try/try_1.mcap',
    'bags/run/run_0.mcap',
    'bags/run/run_1.mcap',
  ]) {
    const facts = { sha256: '0'.repeat(64), bytes: 100, messages: 1, topics: {}, repaired: false };
    retention.add({ bag: path.split('/')[1]!, path, start_ns: '1', end_ns: '1', ...facts });
  }
  return { retention, gone, discarded };
}

it('what central does not hold stays; what it holds goes, and counts as kept', async () => {
  const { retention, gone, discarded } = makeRetention({ 'bags/run/run_1.mcap': 'kept' });
  for (let n = 0; n < 3; n++) await retention.look();
  expect(gone).toEqual([{ paths: ['bags/run/run_1.mcap'], reason: 'quota', isKept: true }]);
  expect([discarded, retention.bytes]).toEqual([[], 300]);
});

it('an episode stays until central holds all of it', async () => {
  const words: Record<string, 'no' | 'kept'> = { 'bags/try/try_0.mcap': 'kept' };
  const { retention, discarded } = makeRetention(words);
  await retention.look();
  expect(discarded).toEqual([]);
  words['bags/try/try_1.mcap'] = 'kept';
  await retention.look();
  expect(discarded).toEqual(['try']);
});
