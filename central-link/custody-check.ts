import { type Clock, LIMITS, type ObjectCentral } from '../contract/core.ts';
import type { CustodyBook } from './custody-book.ts';

export type CustodyUse = 'head' | 'setHead' | 'pastHeads' | 'forgetHeads' | 'listHeld' | 'offerAgain';

export type CustodyCheckParts = {
  readonly robot: string;
  readonly clock: Clock;
  readonly book: Pick<CustodyBook, CustodyUse>;
  readonly files: { size(path: string): Promise<number | undefined> };
  readonly central: Pick<ObjectCentral, 'partBytesMax' | 'custody'>;
  readonly report: (level: 'info' | 'warn', message: string, facts?: Record<string, unknown>) => void;
};

/**
 * Whether central still has what it gave receipts for. One that was restored from an older backup does not know the last state
 * that the robot saw of it: the files that are still here are offered again, and what it has is not sent again.
 */
export class CustodyCheck {
  readonly #parts: CustodyCheckParts;
  #askedMs = -Infinity;

  constructor(parts: CustodyCheckParts) {
    this.#parts = parts;
  }

  askAgain(): void {
    this.#askedMs = -Infinity;
  }

  /** Asks once in a while. Throws what `ObjectCentral`, the book and the files throw. */
  async compare(): Promise<void> {
    const { clock, central, book, files, robot, report } = this.#parts;
    const now = clock.monotonicMs();
    if (now - this.#askedMs < LIMITS.LINK_CUSTODY_MS) return;
    if ((await central.partBytesMax()) === undefined) return;
    const before = book.head();
    const past = book.pastHeads();
    const found = await central.custody(robot, before);
    this.#askedMs = now;
    if (!found) return;
    let isOlder = before === '' ? found.head === null : !found.known;
    // A disk brought a later state: central may have gone back, and on, in between.
    for (const head of isOlder ? [] : past) isOlder ||= (await central.custody(robot, head))?.known === false;
    let again = 0;
    for (const { path, bytes } of isOlder ? book.listHeld() : []) {
      if ((await files.size(path)) !== bytes) continue;
      book.offerAgain(path);
      again += 1;
    }
    if (again > 0)
      report('warn', `central may have lost files that it held: ${again} are offered again`, {
        hint: 'what it still has is not sent again; was it restored from a backup?',
      });
    if (found.head !== null && found.head !== before) book.setHead(found.head);
    book.forgetHeads(past);
  }
}
