import { LIMITS } from '../../../contract/core.ts';
import { ChunkBuilder, type Packed } from '../../../formats/mcap/index.ts';
import type { Packing } from './packing.ts';

/** What a chunk was filled from; it must stay as it is until the chunk is written. */
export type Holder = { unwritten: number };
type Entry = {
  readonly chunk: ChunkBuilder;
  readonly holders: ReadonlySet<Holder>;
  readonly packed: Promise<Packed | undefined>;
};

/**
 * Chunks on their way to the file, in order: one being filled, and a bounded number being compressed. The
 * memory of each is kept for the next.
 */
export class ChunkLine {
  readonly #packing: Packing | undefined;
  readonly #write: (chunk: ChunkBuilder, packed: Packed | undefined) => Promise<void>;
  readonly #waiting: Entry[] = [];
  readonly #spare: ChunkBuilder[] = [];
  #filling = new ChunkBuilder(true);
  #holders = new Set<Holder>();

  /** `write` must not reject, and has no more use for the chunk when it settles. */
  constructor(
    packing: Packing | undefined,
    write: (chunk: ChunkBuilder, packed: Packed | undefined) => Promise<void>,
  ) {
    this.#packing = packing;
    this.#write = write;
  }

  /** The chunk being filled. */
  get filling(): ChunkBuilder {
    return this.#filling;
  }

  /** The chunk being filled has bytes of this holder. */
  hold(holder: Holder): void {
    if (this.#holders.has(holder)) return;
    this.#holders.add(holder);
    holder.unwritten += 1;
  }

  /** Sends the filled chunk on its way; with `isPlain` uncompressed, behind those before it. */
  async send(isPlain: boolean): Promise<void> {
    const chunk = this.#filling;
    const holders = this.#holders;
    const isDirect = !this.#packing || isPlain;
    const packed = isDirect ? Promise.resolve(undefined) : this.#packing.pack(chunk.parts, chunk.size);
    this.#waiting.push({ chunk, holders, packed });
    this.#filling = this.#spare.pop() ?? new ChunkBuilder(true);
    this.#holders = new Set();
    const most = isDirect ? 0 : LIMITS.RECORDER_CHUNKS_PACKED_MAX - 1;
    while (this.#waiting.length > most) await this.#writeFirst();
  }

  /** Writes all that was sent. */
  async drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#writeFirst();
  }

  async #writeFirst(): Promise<void> {
    const { chunk, holders, packed } = this.#waiting[0]!;
    await this.#write(chunk, await packed);
    this.#waiting.shift();
    for (const holder of holders) holder.unwritten -= 1;
    chunk.clear();
    this.#spare.push(chunk);
  }
}
