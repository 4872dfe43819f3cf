import { Block } from './block.ts';

/** Data bytes of an ordinary block: a chunk's worth. */
export const BLOCK_BYTES = 4 * 1024 * 1024;
/** Empty blocks that are always kept for reuse. */
const SPARE_BLOCKS = 3;

/** Blocks lent to the recorder thread, never more than `bytesMax`, and spare ones. */
export class BlockPool {
  readonly #bytesMax: number;
  readonly #onGone: (id: number) => void;
  readonly #lent = new Map<number, Block>();
  #spare: Block[] = [];
  #lentBytes = 0;
  #nextId = 1;

  /** `onGone`: this block is never lent again. */
  constructor(bytesMax: number, onGone: (id: number) => void) {
    this.#bytesMax = bytesMax;
    this.#onGone = onGone;
  }

  /** An empty block with room for `bytes`; undefined when that would break the bound. */
  lend(bytes: number): Block | undefined {
    const size = Math.max(bytes, Math.min(BLOCK_BYTES, this.#bytesMax));
    if (this.#lentBytes + size > this.#bytesMax) return undefined;
    const block =
      (size === BLOCK_BYTES && this.#spare.pop()) || new Block(this.#nextId++, Block.memoryFor(size));
    block.reset();
    this.#lent.set(block.id, block);
    this.#lentBytes += block.capacity;
    return block;
  }

  giveBack(id: number): void {
    const block = this.#lent.get(id);
    if (!block) return;
    this.#lent.delete(id);
    this.#lentBytes -= block.capacity;
    if (block.capacity === BLOCK_BYTES) this.#spare.push(block);
    else this.#onGone(id);
  }

  /**
   * Lets go of half of what a burst left over; to be called every second. Not at once, because a block that
   * is made again for every use leaves memory behind faster than it is collected.
   */
  trim(): void {
    const surplus = Math.ceil((this.#spare.length - SPARE_BLOCKS) / 2);
    if (surplus > 0) for (const { id } of this.#spare.splice(0, surplus)) this.#onGone(id);
  }

  /** After the thread died: nothing comes back. */
  clear(): void {
    this.#lent.clear();
    this.#lentBytes = 0;
    this.#spare = [];
  }
}
