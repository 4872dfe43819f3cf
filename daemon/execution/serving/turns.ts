/** Somebody who waits for a turn. `first`: before all who are not. */
export type Waiting = { readonly caller: string; readonly first: boolean };

/**
 * Who waits, in turns: those that are `first` before the others, among equals the callers one after the other, and
 * within a caller in order. A caller with many questions does not keep the others waiting. Pure: no time, no
 * promises.
 */
export class Turns<T extends Waiting> {
  readonly #first = new Map<string, T[]>();
  readonly #others = new Map<string, T[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  of(caller: string): number {
    return (this.#first.get(caller)?.length ?? 0) + (this.#others.get(caller)?.length ?? 0);
  }

  push(item: T): void {
    const side = item.first ? this.#first : this.#others;
    const queue = side.get(item.caller);
    if (queue) queue.push(item);
    else side.set(item.caller, [item]);
    this.#size += 1;
  }

  /** Whose turn it is among those that `may` have one now; that caller comes last then. Who may not keeps its place. */
  shift(may: (item: T) => boolean = () => true): T | undefined {
    for (const side of [this.#first, this.#others]) {
      for (const [caller, queue] of side) {
        const at = queue.findIndex((item) => may(item));
        if (at < 0) continue;
        const [item] = queue.splice(at, 1);
        side.delete(caller);
        if (queue.length > 0) side.set(caller, queue);
        this.#size -= 1;
        return item;
      }
    }
    return undefined;
  }

  /** False where it no longer waits. */
  remove(item: T): boolean {
    const side = item.first ? this.#first : this.#others;
    const queue = side.get(item.caller);
    const at = queue?.indexOf(item) ?? -1;
    if (!queue || at < 0) return false;
    queue.splice(at, 1);
    if (queue.length === 0) side.delete(item.caller);
    this.#size -= 1;
    return true;
  }

  /** The newest of the caller, not `first`, who has most waiting: who gives way when all places are taken. */
  newestOfGreediest(): T | undefined {
    let most: T[] = [];
    for (const queue of this.#others.values()) if (queue.length > most.length) most = queue;
    return most.at(-1);
  }

  *all(): Iterable<T> {
    for (const side of [this.#first, this.#others]) for (const queue of side.values()) yield* queue;
  }
}
