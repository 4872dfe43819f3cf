/** Numbers from 0 up to but not including 1, the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = (Math.imul(seed, 2_654_435_761) ^ 0x9e37_79b9) >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What a segment holds: half of them noise, which does not become smaller, half text, which does. */
export function segmentBytes(seed: number, n: number, size: number): Buffer {
  const random = randomOf(seed * 1_000 + n);
  const bytes = Buffer.allocUnsafe(Math.round(size * (0.5 + random())));
  const isText = n % 2 === 1;
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = isText ? 97 + Math.floor(random() * 4) : Math.floor(random() * 256);
  return bytes;
}
