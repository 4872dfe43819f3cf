import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { SqliteRecallIndex } from '../../adapters/recall/index.ts';
import type { DocumentShelf, RecallIndex } from '../../contract/index.ts';
import { RecallFeed } from '../../daemon/memory/recall-feed.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { noteOf, RecallRig, runOf } from '../support/recall-rig.ts';

const rig = new RecallRig();
let index: RecallIndex | undefined;
afterEach(() => {
  index?.close();
  return rig.stop();
});

it('a folder of documents that does not answer holds up no question, and is asked once', async () => {
  await rig.say(runOf(0), ...noteOf(10, 'the door'));
  index = SqliteRecallIndex.open(rig.path);
  const clock = new ManualClock();
  const listed = Promise.withResolvers<Awaited<ReturnType<DocumentShelf['list']>>>();
  let lists = 0;
  const shelf: DocumentShelf = {
    list: () => {
      lists += 1;
      return listed.promise;
    },
    read: async () => 'The arm has six joints.',
  };
  const feed = new RecallFeed({ clock, openReader: (cell) => rig.log(cell).reader(), shelf });
  const fed = async () => {
    // Documents are looked at again after a while only.
    await clock.advance(3_000);
    let isOver = false;
    const work = feed.catchUp(index!, clock.monotonicMs() + 4_000).finally(() => {
      isOver = true;
    });
    while (!isOver) {
      await clock.advance(500);
      await turn();
    }
    return await work;
  };
  const late = { unread: 0, notes: [expect.stringContaining('do not answer')] };
  expect(await fed()).toEqual(late);
  expect(await fed()).toEqual(late);
  expect([lists, index.counts().texts]).toEqual([1, 1]);
  listed.resolve({ files: [{ name: 'm/arm.md', changedUs: 1, stamp: 's' }], notes: [] });
  expect(await fed()).toEqual({ unread: 0, notes: [] });
  expect([lists, index.counts().texts]).toEqual([1, 2]);
  feed.close();
});
