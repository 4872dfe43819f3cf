/** Tries to repair a segment that was left, one each `retryMs`, before the recording continues without it. */
const TRIES_MAX = 20;

/** Which unsealed segments the recording waits for: not those of former lives, nor those tried often enough. */
export class Repairs {
  readonly #givenUp = new Set<string>();
  readonly #suspects = new Map<string, number>();
  #tries = 0;

  /**
   * A sync of this file failed: what lies behind the byte was marked as written and may be nowhere but in the memory of the
   * kernel. Undefined: no sync failed.
   */
  suspect(path: string, fromByte: number | undefined): void {
    if (fromByte === undefined) return;
    this.#suspects.set(path, Math.min(fromByte, this.#suspects.get(path) ?? fromByte));
  }

  suspectFrom(path: string): number | undefined {
    return this.#suspects.get(path);
  }

  /** It is synced, all of it. */
  trust(path: string): void {
    this.#suspects.delete(path);
  }

  /** Paths of segments that stay for the next start; some may be repaired since. */
  get givenUp(): readonly string[] {
    return [...this.#givenUp];
  }

  /** They stay for the next start. */
  giveUp(paths: readonly string[]): void {
    for (const path of paths) this.#givenUp.add(path);
    this.#tries = 0;
  }

  /** After a repair that could not have these: whether nothing of this life is left. Throws where it is to be tried again. */
  isAll(broken: readonly string[]): boolean {
    const left = broken.filter((path) => !this.#givenUp.has(path));
    if (left.length > 0 && ++this.#tries < TRIES_MAX)
      throw new Error(`segment ${left[0]} could not be repaired`);
    this.giveUp(left);
    return left.length === 0;
  }
}
