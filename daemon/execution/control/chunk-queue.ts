import type { ActionChunk, Twist2d } from '../../../contract/core.ts';

/**
 * The actions still to be executed. A newer chunk replaces the rest of an older one; an action is given out
 * only within its own step, so what expired is never executed, however late a chunk comes.
 */
export class ChunkQueue {
  #chunk: ActionChunk | undefined;
  #taken = 0;

  /** The chunk that actions come from, and its number among those that were taken, from 1. */
  get held(): { readonly number: number; readonly chunk: ActionChunk } | undefined {
    return this.#chunk && { number: this.#taken, chunk: this.#chunk };
  }

  clear(): void {
    this.#chunk = undefined;
  }

  /** Chunks made from older observations than the held one are late and dropped; returns whether it was taken. */
  put(chunk: ActionChunk): boolean {
    const [horizon, dimension] = chunk.actions.shape;
    const shaped = dimension === 2 && horizon !== undefined && chunk.actions.data.length === horizon * 2;
    if (!shaped || !(chunk.stepMs > 0)) return false;
    if (this.#chunk && chunk.stamp < this.#chunk.stamp) return false;
    this.#chunk = chunk;
    this.#taken += 1;
    return true;
  }

  /** The action for a time in nanoseconds; undefined is starvation. */
  at(now: bigint): Twist2d | undefined {
    const chunk = this.#chunk;
    if (!chunk) return undefined;
    const step = Math.floor(Number(now - chunk.stamp) / (chunk.stepMs * 1e6));
    if (step < 0 || step >= chunk.actions.shape[0]!) return undefined;
    return { linear: chunk.actions.data[2 * step]!, angular: chunk.actions.data[2 * step + 1]! };
  }

  /** Whole steps left after `now`. */
  left(now: bigint): number {
    const chunk = this.#chunk;
    if (!chunk) return 0;
    const step = Math.floor(Number(now - chunk.stamp) / (chunk.stepMs * 1e6));
    return Math.max(0, chunk.actions.shape[0]! - 1 - step);
  }
}
