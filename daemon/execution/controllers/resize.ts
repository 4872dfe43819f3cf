import type { PictureTensor } from '../../../contract/core.ts';
import type { PictureFit } from './controller-spec.ts';

/** Rows from the top without padding, red, green, blue. */
export type Rgb = { readonly data: Uint8Array; readonly width: number; readonly height: number };

/** Taps of one line of the answer: where they start and their weights, which add up to 1. */
type Taps = { readonly from: Int32Array; readonly weights: readonly Float32Array[] };

/**
 * An image in the size that a policy takes. Bilinear, and where it gets smaller over all pixels that become one
 * (the triangle filter of Pillow and of torchvision with `antialias`), so that a policy sees what it was trained on.
 */
export function resize(picture: Rgb, height: number, width: number, fit: PictureFit): PictureTensor {
  const out = new Uint8Array(height * width * 3);
  const shape = [height, width, 3] as const;
  if (picture.width === width && picture.height === height) {
    out.set(picture.data.subarray(0, out.length));
    return { shape, data: out };
  }
  if (fit === 'stretch') return { shape, data: scale(picture, height, width) };
  const ratio =
    fit === 'pad'
      ? Math.min(width / picture.width, height / picture.height)
      : Math.max(width / picture.width, height / picture.height);
  if (fit === 'crop') {
    const part = { width: Math.min(picture.width, Math.round(width / ratio)), height: 0 };
    part.height = Math.min(picture.height, Math.round(height / ratio));
    const left = Math.floor((picture.width - part.width) / 2);
    const top = Math.floor((picture.height - part.height) / 2);
    return { shape, data: scale(crop(picture, left, top, part.width, part.height), height, width) };
  }
  const inner = {
    width: Math.max(1, Math.min(width, Math.round(picture.width * ratio))),
    height: Math.max(1, Math.min(height, Math.round(picture.height * ratio))),
  };
  const scaled = scale(picture, inner.height, inner.width);
  const left = Math.floor((width - inner.width) / 2);
  const top = Math.floor((height - inner.height) / 2);
  for (let y = 0; y < inner.height; y++) {
    const row = scaled.subarray(y * inner.width * 3, (y + 1) * inner.width * 3);
    out.set(row, ((top + y) * width + left) * 3);
  }
  return { shape, data: out };
}

/** A part of an image; what lies outside of it is removed. */
export function crop(picture: Rgb, left: number, top: number, width: number, height: number): Rgb {
  const x = Math.max(0, Math.min(picture.width - 1, left));
  const y = Math.max(0, Math.min(picture.height - 1, top));
  const size = {
    width: Math.max(1, Math.min(width, picture.width - x)),
    height: Math.max(1, Math.min(height, picture.height - y)),
  };
  if (size.width === picture.width && size.height === picture.height) return picture;
  const data = new Uint8Array(size.width * size.height * 3);
  for (let row = 0; row < size.height; row++) {
    const at = ((y + row) * picture.width + x) * 3;
    data.set(picture.data.subarray(at, at + size.width * 3), row * size.width * 3);
  }
  return { data, ...size };
}

/** Across, then down; each line of the answer is a weighted sum of few. */
function scale({ data, width: w, height: h }: Rgb, height: number, width: number): Uint8Array {
  const across = taps(w, width);
  const narrow = new Float32Array(h * width * 3);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < width; x++) {
      const weights = across.weights[x]!;
      let at = (y * w + across.from[x]!) * 3;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let k = 0; k < weights.length; k++, at += 3) {
        const weight = weights[k]!;
        red += weight * data[at]!;
        green += weight * data[at + 1]!;
        blue += weight * data[at + 2]!;
      }
      const to = (y * width + x) * 3;
      narrow[to] = red;
      narrow[to + 1] = green;
      narrow[to + 2] = blue;
    }
  }
  const down = taps(h, height);
  const out = new Uint8Array(height * width * 3);
  const stride = width * 3;
  const line = new Float32Array(stride);
  for (let y = 0; y < height; y++) {
    const weights = down.weights[y]!;
    line.fill(0);
    for (let k = 0; k < weights.length; k++) {
      const at = (down.from[y]! + k) * stride;
      const weight = weights[k]!;
      for (let i = 0; i < stride; i++) line[i] = line[i]! + weight * narrow[at + i]!;
    }
    for (let i = 0; i < stride; i++) out[y * stride + i] = Math.max(0, Math.min(255, Math.round(line[i]!)));
  }
  return out;
}

function taps(from: number, to: number): Taps {
  const ratio = from / to;
  const reach = Math.max(1, ratio);
  const begins = new Int32Array(to);
  const weights: Float32Array[] = [];
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * ratio;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(from, Math.floor(centre + reach + 0.5));
    const row = new Float32Array(Math.max(1, last - first));
    let sum = 0;
    for (let k = 0; k < row.length; k++) {
      row[k] = Math.max(0, 1 - Math.abs((first + k + 0.5 - centre) / reach));
      sum += row[k]!;
    }
    for (let k = 0; k < row.length; k++) row[k] = sum > 0 ? row[k]! / sum : 1 / row.length;
    begins[i] = Math.min(first, from - row.length);
    weights.push(row);
  }
  return { from: begins, weights };
}
