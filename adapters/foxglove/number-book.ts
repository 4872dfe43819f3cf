/** Names whose number is remembered although they are gone. */
const REMEMBERED_MAX = 4_096;

/**
 * A number for each name, for as long as it is in use. A name that comes back has its number again, unless very many others
 * came meanwhile; a number is never given to another name.
 */
export class NumberBook {
  readonly #numbers = new Map<string, number>();
  readonly #isUsed: (number: number) => boolean;
  #newest = 0;

  constructor(isUsed: (number: number) => boolean) {
    this.#isUsed = isUsed;
  }

  of(name: string): number {
    const number = this.#numbers.get(name) ?? ++this.#newest;
    // To the end of the line: the names that were not asked for the longest are forgotten first.
    this.#numbers.delete(name);
    this.#numbers.set(name, number);
    if (this.#numbers.size > REMEMBERED_MAX)
      for (const [other, old] of this.#numbers) {
        if (this.#numbers.size <= REMEMBERED_MAX / 2) break;
        if (old !== number && !this.#isUsed(old)) this.#numbers.delete(other);
      }
    return number;
  }

  /** Names that are remembered. */
  get size(): number {
    return this.#numbers.size;
  }
}
