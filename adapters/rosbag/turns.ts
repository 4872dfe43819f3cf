/** Work between two turns of the event loop, in bytes read: a few milliseconds. */
const TURN_WORK = 512 * 1024;
const RUN_ITEMS = 1024;
/** What one step of a merge costs, in the measure of bytes read. */
const MERGE_WORK = 64;

/** Gives the event loop its turn by the work that was done, not by the number of rows or pages. */
export class Turns {
  #left = TURN_WORK;

  spend(work: number): void {
    this.#left -= work;
  }

  get isDue(): boolean {
    return this.#left <= 0;
  }

  take(): Promise<void> {
    this.#left = TURN_WORK;
    return new Promise((resolve) => setImmediate(resolve));
  }
}

/** A stable sort that does not hold the thread, however many items there are. */
export async function sortInTurns<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  turns: Turns,
): Promise<T[]> {
  let sorted: T[] = [];
  for (let from = 0; from < items.length; from += RUN_ITEMS) {
    for (const item of items.slice(from, from + RUN_ITEMS).sort(compare)) sorted.push(item);
    turns.spend(RUN_ITEMS * MERGE_WORK);
    if (turns.isDue) await turns.take();
  }
  // Rows mostly lie in their order: then the runs need no merge.
  const isOrdered = (width: number) => {
    for (let next = width; next < sorted.length; next += width)
      if (compare(sorted[next - 1]!, sorted[next]!) > 0) return false;
    return true;
  };
  for (let width = RUN_ITEMS; !isOrdered(width); width *= 2) {
    const merged: T[] = [];
    for (let from = 0; from < sorted.length; from += 2 * width) {
      const middle = Math.min(from + width, sorted.length);
      const end = Math.min(middle + width, sorted.length);
      let [left, right] = [from, middle];
      while (left < middle || right < end) {
        const isLeft = right >= end || (left < middle && compare(sorted[left]!, sorted[right]!) <= 0);
        merged.push(sorted[isLeft ? left++ : right++]!);
        turns.spend(MERGE_WORK);
        if (turns.isDue) await turns.take();
      }
    }
    sorted = merged;
  }
  return sorted;
}
