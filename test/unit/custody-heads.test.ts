import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CustodyBook } from '../../central-link/custody-book.ts';
import { CustodyCheck } from '../../central-link/custody-check.ts';
import { LIMITS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const [FIRST, SECOND] = ['1'.repeat(64), '2'.repeat(64)];
let folder: string;
let book: CustodyBook;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'heads-'));
  book = new CustodyBook(join(folder, 'link.db'));
  const common = { lane: 'bags', epoch: 'e', seq: 1, sha256: 'a', bytes: 10 } as const;
  book.add({ path: 'bags/run_0.mcap', ...common });
  book.hold('bags/run_0.mcap', { root: 'r', signature: 's', sha256: 'a' });
  // Central said so over the network; receipts of a later state came on a disk.
  book.setHead(FIRST);
  book.noteHead(SECOND);
});
afterEach(() => {
  book.close();
  rmSync(folder, { recursive: true });
});

/** Central knows these states; what it was asked for. */
function checkAt(known: readonly string[]) {
  const clock = new ManualClock();
  const asked: string[] = [];
  const check = new CustodyCheck({
    ...{ robot: 'r1', clock, book, report: () => {} },
    files: { size: async () => 10 },
    central: {
      partBytesMax: async () => 1_024,
      custody: async (_, head) => {
        asked.push(head);
        return { head: SECOND, known: known.includes(head) };
      },
    },
  });
  return { check, clock, asked };
}

it('a disk does not hide that central lost what it had before: it is offered again', async () => {
  const { check } = checkAt([SECOND]);
  await check.compare();
  expect(book.isHeld('bags/run_0.mcap')).toBe(false);
  expect(book.head()).toBe(SECOND);
});

it('a central that knows both states keeps what it has, and is asked for the earlier one once', async () => {
  const { check, clock, asked } = checkAt([FIRST, SECOND]);
  await check.compare();
  expect(book.isHeld('bags/run_0.mcap')).toBe(true);
  await clock.advance(LIMITS.LINK_CUSTODY_MS);
  await check.compare();
  expect(asked).toEqual([SECOND, FIRST, SECOND]);
});
