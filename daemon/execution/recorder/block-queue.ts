import { Block } from './block.ts';
import type { ChunkLine, Holder } from './chunk-line.ts';
import type { ToThread } from './protocol.ts';

/** `limit`: how far a flush goes; what is published after it started waits for the next. */
type Queued = Holder & { readonly block: Block; consumed: number; limit: number };

/** The recorder thread's side of the blocks: those being worked off, oldest first. */
export class BlockQueue {
  readonly #queue: Queued[] = [];
  /** Views of all blocks in use, so that a block that comes again costs nothing. */
  readonly #blocks = new Map<number, Block>();

  push({ id, memory }: Extract<ToThread, { t: 'block' }>): void {
    let block = this.#blocks.get(id);
    if (!block) {
      block = new Block(id, memory);
      this.#blocks.set(id, block);
    }
    this.#queue.push({ block, consumed: 0, limit: 0, unwritten: 0 });
  }

  gone(id: number): void {
    this.#blocks.delete(id);
  }

  /** A flush starts: it goes as far as blocks are filled now. */
  mark(): void {
    for (const queued of this.#queue) queued.limit = queued.block.filled;
  }

  /** What was marked is not all taken yet. */
  get hasMarked(): boolean {
    return this.#queue.some(({ consumed, limit }) => consumed < limit);
  }

  /** Something was published that is not written, or a block can be given back. */
  get hasNews(): boolean {
    return this.#queue.some(({ block, consumed, unwritten }) => {
      return block.closed || unwritten > 0 || consumed < block.filled;
    });
  }

  /** Bytes of the blocks that are not given back. */
  get bytes(): number {
    return this.#queue.reduce((sum, { block }) => sum + block.capacity, 0);
  }

  /**
   * Fills the chunk of the line up to `bytesWanted`. Blocks that are not full wait for a flush. `isBlocked`: a
   * message of a channel that `isKnown` refuses stands in the way.
   */
  fill(
    line: ChunkLine,
    isKnown: (channel: number) => boolean,
    bytesWanted: number,
    isFlush: boolean,
  ): { isBlocked: boolean } {
    const chunk = line.filling;
    for (const queued of this.#queue) {
      if (chunk.size >= bytesWanted) break;
      const isClosed = queued.block.closed;
      if (!isClosed && !isFlush) break;
      const end = isClosed ? queued.block.filled : queued.limit;
      if (queued.consumed < end) {
        const added = chunk.add(queued.block.bytes(queued.consumed, end), isKnown, bytesWanted);
        if (added > 0) line.hold(queued);
        queued.consumed += added;
        if (queued.consumed < end) return { isBlocked: chunk.size < bytesWanted };
      }
      if (!isClosed) break;
    }
    return { isBlocked: false };
  }

  /** Gives back the blocks whose content is in the file. */
  release(giveBack: (id: number) => void): void {
    for (let first = this.#queue[0]; first; first = this.#queue[0]) {
      const { block, consumed, unwritten } = first;
      if (!block.closed || consumed < block.filled || unwritten > 0) return;
      this.#queue.shift();
      giveBack(block.id);
    }
  }
}
