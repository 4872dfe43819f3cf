import type { Aggregation } from '../../../contract/core.ts';
import { aggregate } from './aggregation.ts';
import { HORIZON_MAX } from './controller-spec.ts';

/** A chunk as the queue takes it: `actions` is row-major [rows, dimension]. Times are monotonic milliseconds. */
export type QueuedChunk = {
  /** Counts chunks of a controller, from 1. */
  readonly id: number;
  /** Action 0 is for this moment. */
  readonly anchorMs: number;
  readonly stepMs: number;
  readonly actions: Float32Array | Float64Array;
  /** Rows that may be used. */
  readonly rows: number;
  readonly policyHash: string;
  /** From its observation to its arrival. */
  readonly delayMs: number;
};

export type QueueOptions = {
  readonly dimension: number;
  readonly aggregation: Aggregation;
  readonly ensembleCoefficient: number;
  readonly blend: boolean;
  readonly interpolate: boolean;
};

/**
 * `late`: made from an older observation than what is queued, or all of it is over. `far_outside`: an action is so far
 * outside of its limits that its policy cannot mean it.
 */
export type PutResult = 'taken' | 'late' | 'early' | 'misshapen' | 'not_finite' | 'far_outside';

/** One action is for this long at most, milliseconds: what lasts for ever has no expiry. */
const STEP_MS_MAX = 10_000;
/** Rounding of a division of two times, in steps. */
const EPSILON = 1e-6;

/**
 * The actions still to be executed, on a grid of the policy's steps. Each is for one slot and expires with it: what
 * is over is never given out, however late a chunk comes. As in LeRobot a newer chunk replaces what is queued, and
 * where both have an action for a slot that did not start yet they are aggregated. The current slot stays as it is.
 */
export class ActionQueue {
  readonly #options: QueueOptions;
  #originMs = 0;
  #stepMs = 0;
  /** Slot of the first queued action, and how many there are. */
  #first = 0;
  #count = 0;
  #values = new Float64Array(0);
  #chunks = new Int32Array(0);
  /** Predictions that each action is made of. */
  #made = new Int32Array(0);
  #newest = -Infinity;
  #hash = '';

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  clear(): void {
    this.#count = 0;
    this.#newest = -Infinity;
    this.#stepMs = 0;
    this.#hash = '';
  }

  /** Milliseconds; 0 before the first chunk. */
  get stepMs(): number {
    return this.#stepMs;
  }

  get policyHash(): string {
    return this.#hash;
  }

  /** Start of the current slot: what an observation of now is for. Before the first chunk it is now. */
  anchor(nowMs: number): number {
    return this.#stepMs === 0 ? nowMs : this.#originMs + this.#slot(nowMs) * this.#stepMs;
  }

  /** Until the last queued action expires, milliseconds. */
  leftMs(nowMs: number): number {
    if (this.#count === 0) return 0;
    return Math.max(0, this.#originMs + (this.#first + this.#count) * this.#stepMs - nowMs);
  }

  /**
   * Writes the action for `nowMs` into `out`; returns the id of its chunk, or 0: no action exists, and `out` is as it
   * was.
   */
  at(nowMs: number, out: Float64Array): number {
    if (this.#stepMs === 0) return 0;
    const slot = this.#slot(nowMs);
    const row = slot - this.#first;
    if (row < 0 || row >= this.#count) return 0;
    const { dimension, interpolate } = this.#options;
    const at = row * dimension;
    const share = (nowMs - this.#originMs) / this.#stepMs - slot;
    const mixed = interpolate && row + 1 < this.#count && share > EPSILON;
    for (let j = 0; j < dimension; j++) {
      const value = this.#values[at + j]!;
      out[j] = mixed ? value + share * (this.#values[at + dimension + j]! - value) : value;
    }
    return this.#chunks[row]!;
  }

  /** The next `count` queued actions from the slot of `nowMs` on, or fewer: what will be executed whatever comes. */
  ahead(nowMs: number, count: number): Float32Array<ArrayBuffer> {
    const row = this.#stepMs === 0 ? this.#count : this.#slot(nowMs) - this.#first;
    if (row < 0 || row >= this.#count) return new Float32Array(0);
    const { dimension } = this.#options;
    const rows = Math.max(0, Math.min(count, this.#count - row));
    return Float32Array.from(this.#values.subarray(row * dimension, (row + rows) * dimension));
  }

  put(chunk: QueuedChunk, nowMs: number): PutResult {
    const fault = this.#fault(chunk, nowMs);
    if (fault) return fault;
    if (chunk.anchorMs < this.#newest) return 'late';
    // Another grid: a policy with other steps. What was queued on the old one ends.
    if (chunk.stepMs !== this.#stepMs || this.#count === 0) {
      this.#count = 0;
      this.#originMs = chunk.anchorMs;
      this.#stepMs = chunk.stepMs;
    }
    const begins = Math.round((chunk.anchorMs - this.#originMs) / this.#stepMs);
    const now = this.#slot(nowMs);
    const kept = now >= this.#first && now < this.#first + this.#count;
    const first = Math.max(begins, now);
    const ends = begins + chunk.rows;
    if (ends <= (kept ? now + 1 : now)) return 'late';
    this.#take(chunk, begins, first, ends, kept ? now : undefined);
    this.#newest = chunk.anchorMs;
    this.#hash = chunk.policyHash;
    return 'taken';
  }

  #take(chunk: QueuedChunk, begins: number, first: number, ends: number, underWay: number | undefined): void {
    const { dimension, aggregation, ensembleCoefficient } = this.#options;
    const count = ends - first;
    const values = new Float64Array(count * dimension);
    const chunks = new Int32Array(count);
    const made = new Int32Array(count);
    // Two policies are not averaged: the newer one takes over.
    const how = chunk.policyHash === this.#hash ? aggregation : 'latest_only';
    const fade = this.#options.blend ? Math.round(chunk.delayMs / chunk.stepMs) : 0;
    let overlap = 0;
    for (let slot = first; slot < ends; slot++) {
      const row = slot - first;
      const old = slot - this.#first;
      const known = old >= 0 && old < this.#count;
      const same = slot === underWay;
      chunks[row] = same ? this.#chunks[old]! : chunk.id;
      made[row] = same ? this.#made[old]! : known && how === aggregation ? this.#made[old]! + 1 : 1;
      if (known && !same) overlap++;
      const share = overlap <= fade ? overlap / (fade + 1) : 1;
      for (let j = 0; j < dimension; j++) {
        const newer = chunk.actions[(slot - begins) * dimension + j]!;
        if (!known) {
          values[row * dimension + j] = newer;
          continue;
        }
        const before = this.#values[old * dimension + j]!;
        if (same) {
          values[row * dimension + j] = before;
          continue;
        }
        const mixed = aggregate(how, before, newer, this.#made[old]!, ensembleCoefficient);
        values[row * dimension + j] = share === 1 ? mixed : before + share * (mixed - before);
      }
    }
    this.#first = first;
    this.#count = count;
    this.#values = values;
    this.#chunks = chunks;
    this.#made = made;
  }

  #fault({ actions, rows, stepMs, anchorMs }: QueuedChunk, nowMs: number): PutResult | undefined {
    const { dimension } = this.#options;
    const shaped = Number.isSafeInteger(rows) && rows > 0 && rows <= HORIZON_MAX;
    if (!shaped || actions.length < rows * dimension || !(stepMs > 0 && stepMs <= STEP_MS_MAX))
      return 'misshapen';
    if (!Number.isFinite(anchorMs)) return 'misshapen';
    if (anchorMs > nowMs + EPSILON) return 'early';
    for (let i = 0; i < rows * dimension; i++) if (!Number.isFinite(actions[i])) return 'not_finite';
    return undefined;
  }

  #slot(nowMs: number): number {
    return Math.floor((nowMs - this.#originMs) / this.#stepMs + EPSILON);
  }
}
