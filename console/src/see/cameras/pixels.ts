/** Pixels of `sensor_msgs/msg/Image` as a canvas takes them: RGBA, row by row. Pure. */
export type RawImage = {
  readonly width: number;
  readonly height: number;
  readonly encoding: string;
  readonly is_bigendian: number;
  /** Bytes of a row. */
  readonly step: number;
  readonly data: Uint8Array;
};

const PIXELS_MAX = 8_192 * 8_192;
type Colour = readonly [red: number, green: number, blue: number, size: number];
/** Where the parts of a colour stand in a pixel, and its bytes. */
const COLOURS: Readonly<Record<string, Colour>> = {
  ...{ rgb8: [0, 1, 2, 3], bgr8: [2, 1, 0, 3], rgba8: [0, 1, 2, 4], bgra8: [2, 1, 0, 4] },
  ...{ mono8: [0, 0, 0, 1], '8UC1': [0, 0, 0, 1], '8UC3': [2, 1, 0, 3] },
};
/** One number for a pixel, in bytes: shown from the nearest to the farthest. */
const DEPTHS: Readonly<Record<string, number>> = { mono16: 2, '16UC1': 2, '32FC1': 4 };

/** The pixels; a text gives the reason where the image has none. */
export function pixelsOf(image: RawImage): Uint8ClampedArray<ArrayBuffer> | string {
  const { width, height, encoding, step, data } = image;
  const size = COLOURS[encoding]?.[3] ?? DEPTHS[encoding] ?? (YUV.has(encoding) ? 2 : 0);
  if (size === 0) return `images in ${encoding || 'no encoding'} are not shown`;
  if (width < 1 || height < 1 || width * height > PIXELS_MAX || step < width * size)
    return `the image has ${width} × ${height} pixels in rows of ${step} bytes`;
  if (data.length < step * (height - 1) + width * size)
    return `the image ends after ${data.length} bytes, expected ${step * height}`;
  const pixels = new Uint8ClampedArray(width * height * 4);
  const colour = COLOURS[encoding];
  if (colour) fillColours(pixels, image, colour);
  else if (YUV.has(encoding)) fillYuv(pixels, image);
  else fillDepths(pixels, image, size);
  return pixels;
}

function fillColours(
  pixels: Uint8ClampedArray,
  { width, height, step, data }: RawImage,
  colour: Colour,
): void {
  const [red, green, blue, size] = colour;
  let to = 0;
  for (let row = 0; row < height; row++) {
    let from = row * step;
    for (let column = 0; column < width; column++, from += size, to += 4) {
      pixels[to] = data[from + red]!;
      pixels[to + 1] = data[from + green]!;
      pixels[to + 2] = data[from + blue]!;
      pixels[to + 3] = 255;
    }
  }
}

/** Two pixels share their colour: brightness at 0 and 2 (`yuyv`) or at 1 and 3 (`uyvy`). */
const YUV: ReadonlyMap<string, readonly [brightness: number, colour: number]> = new Map([
  ['yuv422_yuy2', [0, 1]],
  ['yuyv', [0, 1]],
  ['yuv422', [1, 0]],
  ['uyvy', [1, 0]],
]);

function fillYuv(pixels: Uint8ClampedArray, { width, height, step, data, encoding }: RawImage): void {
  const [bright, colour] = YUV.get(encoding)!;
  let to = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++, to += 4) {
      const pair = row * step + (column >> 1) * 4;
      const y = data[pair + bright + (column & 1) * 2]!;
      const u = data[pair + colour]! - 128;
      const v = data[pair + colour + 2]! - 128;
      pixels[to] = y + 1.402 * v;
      pixels[to + 1] = y - 0.344 * u - 0.714 * v;
      pixels[to + 2] = y + 1.772 * u;
      pixels[to + 3] = 255;
    }
  }
}

function fillDepths(
  pixels: Uint8ClampedArray,
  { width, height, step, data, is_bigendian }: RawImage,
  size: number,
): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const little = is_bigendian === 0;
  const at = (row: number, column: number) => {
    const offset = row * step + column * size;
    return size === 2 ? view.getUint16(offset, little) : view.getFloat32(offset, little);
  };
  let [near, far] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const value = at(row, column);
      // Zero and what is not a number: nothing was measured.
      if (!(value > 0) || value === Number.POSITIVE_INFINITY) continue;
      near = Math.min(near, value);
      far = Math.max(far, value);
    }
  let to = 0;
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++, to += 4) {
      const value = at(row, column);
      const measured = value > 0 && value !== Number.POSITIVE_INFINITY;
      const grey = measured ? 40 + (215 * (value - near)) / Math.max(far - near, 1e-9) : 0;
      pixels.fill(grey, to, to + 3);
      pixels[to + 3] = 255;
    }
}
