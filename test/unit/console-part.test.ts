import { expect, it } from 'vitest';
import { Player, partNs } from '../../console/src/remember/player.ts';

/** The part of a recording that is cut out, in nanoseconds: a page counts in seconds, which are not that fine. */
const START_NS = 1_700_000_000_123_456_700n;
const END_NS = 1_700_000_020_987_654_321n;
const span = { startNs: START_NS, endNs: END_NS };

it('holds every message of the whole recording where no part is chosen', () => {
  expect(partNs(span, undefined)).toEqual([START_NS, END_NS]);
});

it('goes down to the start of a part and up to its end, and to the very ends of the recording', () => {
  const player = new Player({
    ...{ ...span, changed: () => {} },
    reader: { messages: async function* () {}, before: async () => [] },
  });
  expect(partNs(span, [player.startS, player.endS])).toEqual([START_NS, END_NS]);
  const [fromNs, toNs] = partNs(span, [1_700_000_005.123_456_7, 1_700_000_006.123_456_2]);
  expect([fromNs, toNs]).toEqual([1_700_000_005_123_456_000n, 1_700_000_006_123_457_000n]);
  expect(partNs(span, [1_700_000_005, 1_700_000_007])).toEqual([
    1_700_000_005_000_000_000n,
    1_700_000_007_000_000_000n,
  ]);
});

it('shows the first message before anything is played', async () => {
  const asked: bigint[] = [];
  const player = new Player({
    ...{ ...span, changed: () => {} },
    reader: {
      messages: async function* () {},
      before: async (_topics, ns) => {
        asked.push(ns);
        return [];
      },
    },
  });
  player.seek(player.startS);
  player.seek(player.endS);
  await new Promise((resolve) => setImmediate(resolve));
  expect([asked[0]! >= START_NS, asked.at(-1)]).toEqual([true, END_NS]);
  player.close();
});
