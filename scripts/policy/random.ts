/** xoshiro128** seeded by splitmix32: small, fast and good enough that training and test scenes do not overlap. */
export type Random = {
  next(): number;
  between(low: number, high: number): number;
  normal(): number;
  below(count: number): number;
};

export function seeded(seed: number): Random {
  let mix = seed >>> 0;
  const splitmix = () => {
    mix = (mix + 0x9e3779b9) >>> 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  const rotate = (x: number, k: number) => ((x << k) | (x >>> (32 - k))) >>> 0;
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b!, 5), 7), 9) >>> 0;
    const t = (b! << 9) >>> 0;
    c = (c! ^ a!) >>> 0;
    d = (d! ^ b!) >>> 0;
    b = (b! ^ c) >>> 0;
    a = (a! ^ d) >>> 0;
    c = (c ^ t) >>> 0;
    d = rotate(d, 11);
    return result / 2 ** 32;
  };
  return {
    next,
    between: (low, high) => low + (high - low) * next(),
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    below: (count) => Math.floor(next() * count),
  };
}
