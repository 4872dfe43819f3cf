import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Ledger } from '../../daemon/execution/bus/index.ts';
import { Accounts } from '../../daemon/execution/recorder/accounts.ts';
import { DropBook } from '../../daemon/execution/recorder/drop-book.ts';
import { forgetAccepted, IntakeCounter, readLeftovers } from '../../daemon/execution/recorder/intake.ts';
import { settleLeftovers } from '../../daemon/execution/recorder/leftovers.ts';
import type { Drops, FromThread, ThreadOptions } from '../../daemon/execution/recorder/protocol.ts';
import { makeFolder } from '../support/recorder.ts';
import { threadOptionsFor } from '../support/recording-thread.ts';

let dataDir: string;
let remove: () => void;
let options: ThreadOptions;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
  options = threadOptionsFor(dataDir);
  mkdirSync(join(dataDir, 'bags', 'bag'), { recursive: true });
});
afterEach(() => remove());

const QUEUE_FULL = { topic: '/a', reason: 'queue_full', count: 3 } as const;

/** A session that accepted this much of one topic and was then killed. */
function killedSession(accepted: number): Accounts {
  const accounts = new Accounts(options, 0);
  accounts.addChannel(1, '/a');
  const intake = new IntakeCounter(options.intakeDir, options.session);
  intake.addChannel(1, '/a');
  for (let n = 0; n < accepted; n++) intake.accept(1);
  intake.close();
  return accounts;
}

async function crashedAtStart() {
  const posts: FromThread[] = [];
  await settleLeftovers({ ...options, session: 'next' }, (message) => posts.push(message), true);
  return posts.flatMap((one) => (one.t === 'crashed' ? one.losses.topics : []));
}

it('drops in the ledger of a segment are told by that, once it has its name, and else at the next start', async () => {
  const line = { topic: '/a', received: 3, written: 0, dropped: { queue_full: 3 } };
  for (const [isNamed, told] of [
    [false, [line]],
    [true, []],
  ] as const) {
    const accounts = killedSession(0);
    accounts.drop([QUEUE_FULL]);
    accounts.close('bag', 'bags/bag/bag_0.mcap', {});
    if (isNamed) writeFileSync(join(dataDir, 'bags/bag/bag_0.mcap'), 'as it was named');
    expect(await crashedAtStart()).toEqual(told);
  }
});

it('drops of a ledger that was told, or that the next one tells, are told once', async () => {
  const accounts = killedSession(0);
  accounts.drop([QUEUE_FULL]);
  accounts.told(accounts.close('bag', 'bags/bag', {}));
  accounts.drop([QUEUE_FULL]);
  accounts.putBack(accounts.close('bag', 'bags/bag/bag_0.mcap', {}));
  expect(await crashedAtStart()).toMatchObject([{ topic: '/a', dropped: { queue_full: 3 } }]);
});

it('what lies in a bag after a segment was left is no loss when the next bag is cut off', async () => {
  const accounts = killedSession(8);
  accounts.left(new Map([[1, 5]]));
  accounts.sealed(1, new Map([[1, 3]]));
  accounts.moveTo('other', 0);
  const file = JSON.parse(readFileSync(join(options.intakeDir, `${options.session}.account`), 'utf8'));
  expect(file).toMatchObject({ bag: 'other', through: -1, accounted: { 1: 8 } });
  expect(await crashedAtStart()).toEqual([]);
});

it('of a thread that died only the drops are left to tell', async () => {
  killedSession(7).drop([QUEUE_FULL]);
  forgetAccepted(options.intakeDir, options.session);
  expect(readLeftovers(options.intakeDir, 'next')[0]?.accepted).toEqual(new Map([['/a', 0]]));
  expect(await crashedAtStart()).toMatchObject([{ topic: '/a', dropped: { queue_full: 3 } }]);
});

it('drops wait in the book until there is a thread to be told', () => {
  const told: Drops[] = [];
  let isThere = false;
  const book = new DropBook(new Ledger(), (drops) => {
    if (isThere) told.push(...drops);
    return isThere;
  });
  book.drop('/a', 'queue_full', 2);
  book.tell();
  isThere = true;
  book.drop('/a', 'queue_full');
  book.tell();
  book.tell();
  expect(told).toEqual([QUEUE_FULL]);
});
