/** A seeded generator (splitmix64 into xorshift128+ would be more than is needed): mulberry over two mixed words. */
export class Random {
  #state: number;

  constructor(seed: number, stream = 0) {
    this.#state = mix(seed ^ mix(stream + 0x9e3779b9));
  }

  /** A whole number, 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    return mix(this.#state) >>> 0;
  }

  /** 0 to `below` - 1. */
  below(below: number): number {
    return below <= 1 ? 0 : this.next() % below;
  }

  chance(share: number): boolean {
    return this.next() < share * 2 ** 32;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next() >>> 24;
    return bytes;
  }
}

function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}
