/** What a chunk was made from. */
export type Origin = { readonly observationNs: bigint; readonly policyHash: string };

/** Chunks whose origin is remembered: one more than can be queued at a time, with some to spare. */
const ORIGINS_MAX = 256;

/** Of the chunks of one run: which observation and which policy they come from. */
export class ChunkOrigins {
  readonly #asked = new Map<number, Origin>();
  readonly #taken = new Map<number, Origin>();

  clear(): void {
    this.#asked.clear();
    this.#taken.clear();
  }

  /** The answer to the question of that anchor. */
  answered(anchorMs: number, origin: Origin): void {
    put(this.#asked, anchorMs, origin);
  }

  /** The answer to that question became this chunk. */
  became(chunk: number, anchorMs: number, policyHash: string): void {
    put(this.#taken, chunk, this.#asked.get(anchorMs) ?? { observationNs: 0n, policyHash });
  }

  of(chunk: number): Origin | undefined {
    return this.#taken.get(chunk);
  }
}

function put(origins: Map<number, Origin>, key: number, origin: Origin): void {
  origins.set(key, origin);
  if (origins.size > ORIGINS_MAX) origins.delete(origins.keys().next().value!);
}
