/** An image, rgb8, interleaved. */
export type Pixels = { readonly height: number; readonly width: number; readonly data: Uint8Array };

/**
 * Bilinear, pixel centres at the half, no smoothing where it shrinks: what torch's `interpolate` does for a stock
 * server, to within one step of 255. The same size is the same bytes.
 */
export function resized(from: Pixels, height: number, width: number): Uint8Array {
  if (from.height === height && from.width === width) return from.data;
  const out = new Uint8Array(height * width * 3);
  const columns = Array.from({ length: width }, (_, x) => placeOf(x, width, from.width));
  for (let y = 0; y < height; y++) {
    const row = placeOf(y, height, from.height);
    const top = row.low * from.width * 3;
    const bottom = row.high * from.width * 3;
    for (let x = 0; x < width; x++) {
      const { low, high, share } = columns[x]!;
      for (let channel = 0; channel < 3; channel++) {
        const left = low * 3 + channel;
        const right = high * 3 + channel;
        const above = mix(from.data[top + left]!, from.data[top + right]!, share);
        const below = mix(from.data[bottom + left]!, from.data[bottom + right]!, share);
        out[(y * width + x) * 3 + channel] = Math.round(mix(above, below, row.share));
      }
    }
  }
  return out;
}

/** Between which two pixels a pixel of the other size lies, and how far from the first. */
function placeOf(at: number, size: number, of: number): { low: number; high: number; share: number } {
  const place = Math.max(0, ((at + 0.5) * of) / size - 0.5);
  const low = Math.min(of - 1, Math.floor(place));
  return { low, high: Math.min(of - 1, low + 1), share: place - low };
}

function mix(a: number, b: number, share: number): number {
  return a + (b - a) * share;
}
