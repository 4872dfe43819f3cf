import { LIMITS, type RunToken, type RunTokensApi, type Unsubscribe } from '../../../contract/core.ts';

type Taker = (token: RunToken) => void;

/**
 * Text of agents while it comes, for who watches just now. Nothing is kept: what counts is in the session of the run.
 */
export class RunTokens implements RunTokensApi {
  readonly #takers = new Map<string, Set<Taker>>();
  #count = 0;

  /** Throws nothing: a taker that fails is its own fault. */
  tell(runId: string, token: RunToken): void {
    for (const take of this.#takers.get(runId) ?? []) {
      try {
        take(token);
      } catch {
        // It takes no more than it can.
      }
    }
  }

  watch(runId: string, take: Taker): Unsubscribe | undefined {
    if (this.#count >= LIMITS.STREAMS_MAX) return undefined;
    const takers = this.#takers.get(runId) ?? new Set();
    this.#takers.set(runId, takers);
    takers.add(take);
    this.#count += 1;
    return () => {
      if (!takers.delete(take)) return;
      this.#count -= 1;
      if (takers.size === 0) this.#takers.delete(runId);
    };
  }
}
