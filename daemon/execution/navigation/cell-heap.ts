/** A binary heap of cells by priority, without allocation per push; equal priorities leave in cell order. */
export class CellHeap {
  #priority = new Float64Array(1024);
  #cell = new Int32Array(1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#size = 0;
  }

  push(cell: number, priority: number): void {
    if (this.#size === this.#cell.length) this.#grow();
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(priority, cell, parent)) break;
      this.#priority[at] = this.#priority[parent]!;
      this.#cell[at] = this.#cell[parent]!;
      at = parent;
    }
    this.#priority[at] = priority;
    this.#cell[at] = cell;
  }

  /** The cell of the lowest priority; -1 when empty. */
  pop(): number {
    if (this.#size === 0) return -1;
    const top = this.#cell[0]!;
    const last = --this.#size;
    const cell = this.#cell[last]!;
    const priority = this.#priority[last]!;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#before(this.#priority[child + 1]!, this.#cell[child + 1]!, child))
        child++;
      if (this.#before(priority, cell, child)) break;
      this.#priority[at] = this.#priority[child]!;
      this.#cell[at] = this.#cell[child]!;
      at = child;
    }
    this.#priority[at] = priority;
    this.#cell[at] = cell;
    return top;
  }

  #before(priority: number, cell: number, other: number): boolean {
    const theirs = this.#priority[other]!;
    return priority < theirs || (priority === theirs && cell < this.#cell[other]!);
  }

  #grow(): void {
    const priority = new Float64Array(this.#cell.length * 2);
    priority.set(this.#priority);
    this.#priority = priority;
    const cell = new Int32Array(this.#cell.length * 2);
    cell.set(this.#cell);
    this.#cell = cell;
  }
}
