/**
 * A seeded source of chance: xoshiro128** (Blackman and Vigna, 2018), its state filled by splitmix32. Equal
 * seed and stream give equal numbers on every machine. Each use (maze, lidar, wheels) takes a stream of its
 * own, so that one more draw here does not shift the draws there.
 */
export class Random {
  readonly #state = new Uint32Array(4);
  #spare: number | undefined;

  /** `seed` is a whole number from 0 to 2^32 - 1; `stream` names the use. */
  constructor(seed: number, stream = '') {
    let mixed = seed >>> 0;
    // FNV-1a over the name, so that near seeds and near names lie far apart.
    for (const char of stream) mixed = Math.imul(mixed ^ char.codePointAt(0)!, 0x0100_0193) >>> 0;
    for (let i = 0; i < 4; i++) {
      mixed = (mixed + 0x9e37_79b9) >>> 0;
      let z = mixed;
      z = Math.imul(z ^ (z >>> 16), 0x21f0_aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a_2d97);
      this.#state[i] = z ^ (z >>> 15);
    }
  }

  uint32(): number {
    const s = this.#state;
    const result = Math.imul(rotate(Math.imul(s[1]!, 5), 7), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = rotate(s[3]!, 11);
    return result;
  }

  /** Uniform in [0, 1), with 53 bits. */
  float(): number {
    return ((this.uint32() >>> 5) * 0x400_0000 + (this.uint32() >>> 6)) / 2 ** 53;
  }

  /** A whole number from 0 to `below` - 1, without bias. */
  int(below: number): number {
    const limit = 2 ** 32 - (2 ** 32 % below);
    for (;;) {
      const value = this.uint32();
      if (value < limit) return value % below;
    }
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(values.length)]!;
  }

  /** Normally distributed, mean 0 and deviation 1 (polar method of Marsaglia). */
  gaussian(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const u = 2 * this.float() - 1;
      const v = 2 * this.float() - 1;
      const s = u * u + v * v;
      if (s >= 1 || s === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(s)) / s);
      this.#spare = v * factor;
      return u * factor;
    }
  }
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}
