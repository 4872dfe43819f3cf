/** Damaged rows may lead into the pages of others: those are still read for the row that they belong to. */
const VISITS_MAX = 4;
const KEPT = 255;

/**
 * Which overflow pages may still be read in one pass over a file: a page belongs to one row, and is read a few times at most
 * for rows that turn out to be broken. So a pass is linear in the file, wherever its pointers lead.
 */
export class OverflowPages {
  readonly #visits: Uint8Array;

  /** `before`: the pages that it has given to rows are not given again. */
  constructor(pages: number, before?: OverflowPages) {
    this.#visits = before ? before.#visits.slice() : new Uint8Array(pages + 1);
  }

  /** False where the page is not in the file, belongs to another row or was visited too often. */
  enter(page: number): boolean {
    const visits = this.#visits[page];
    // Page 1 is the head of the file.
    if (page < 2 || visits === undefined || visits >= VISITS_MAX) return false;
    this.#visits[page] = visits + 1;
    return true;
  }

  /** The chain of a whole row. */
  keep(pages: Iterable<number>): void {
    for (const page of pages) this.#visits[page] = KEPT;
  }
}
