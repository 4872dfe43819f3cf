import { EdgeError, type Picture } from '../../../contract/core.ts';
import type { Image } from '../../../formats/cdr/index.ts';

/** Byte of each channel within a pixel; one entry is grey, three are red, green, blue. */
type Layout = { readonly bytes: number; readonly order: readonly number[] };

const COLOURS: Readonly<Record<string, Layout>> = {
  mono8: { bytes: 1, order: [0] },
  '8UC1': { bytes: 1, order: [0] },
  rgb8: { bytes: 3, order: [0, 1, 2] },
  bgr8: { bytes: 3, order: [2, 1, 0] },
  '8UC3': { bytes: 3, order: [2, 1, 0] },
  rgba8: { bytes: 4, order: [0, 1, 2] },
  bgra8: { bytes: 4, order: [2, 1, 0] },
  '8UC4': { bytes: 4, order: [2, 1, 0] },
};

/** Distances: bytes of one, and metres of a unit (REP-118: whole millimetres, or metres). `mono16` is grey, not depth. */
const DEPTHS: Readonly<Record<string, { readonly bytes: number; readonly metres: number }>> = {
  mono16: { bytes: 2, metres: 0 },
  '16UC1': { bytes: 2, metres: 0.001 },
  '32FC1': { bytes: 4, metres: 1 },
};

export const ENCODINGS: readonly string[] = [...Object.keys(COLOURS), ...Object.keys(DEPTHS)];

export type Pixels = {
  readonly picture: Extract<Picture, { kind: 'pixels' }>;
  readonly depth?: { readonly near: number; readonly far: number };
};

/**
 * The pixels of an image, made smaller by whole steps so that its longer side is at least `sideMax` where it was:
 * the encoder does the rest. Grey and colours are averaged. Distances are picked, since the mean of near and far is
 * a place where nothing is; they become grey from bright (near) to dark (far), black is unknown.
 */
export function toPixels(image: Image, sideMax: number): Pixels {
  const { width, height, encoding, step } = image;
  const colour = COLOURS[encoding];
  const depth = DEPTHS[encoding];
  const bytes = colour?.bytes ?? depth?.bytes;
  if (bytes === undefined) throw unreadable(encoding);
  if (width < 1 || height < 1 || step < width * bytes) {
    throw new EdgeError('sample.malformed', {
      operation: 'look',
      subject: encoding,
      message: `${width} x ${height} pixels of ${bytes} bytes each do not fit rows of ${step} bytes`,
    });
  }
  const shrink = Math.max(1, Math.floor(Math.max(width, height) / Math.max(1, sideMax)));
  const size = { width: Math.ceil(width / shrink), height: Math.ceil(height / shrink) };
  return colour ? averaged(image, colour, shrink, size) : picked(image, depth!, shrink, size);
}

type Size = { readonly width: number; readonly height: number };

/**
 * The mean of at most three by three pixels of each square: what it costs follows from the size of the answer, not
 * from that of the camera, since the cell that drives the robot has other things to do.
 */
function averaged(image: Image, { bytes, order }: Layout, shrink: number, size: Size): Pixels {
  const channels = order.length as 1 | 3;
  const { data: from, step } = image;
  const data = new Uint8Array(size.width * size.height * channels);
  const stride = Math.max(1, Math.ceil(shrink / 3));
  for (let channel = 0; channel < channels; channel++) {
    const offset = order[channel]!;
    let out = channel;
    for (let row = 0; row < size.height; row++) {
      const top = row * shrink;
      const bottom = Math.min(image.height, top + shrink);
      for (let column = 0; column < size.width; column++) {
        const left = column * shrink;
        const right = Math.min(image.width, left + shrink);
        let sum = 0;
        let count = 0;
        for (let y = top; y < bottom; y += stride) {
          for (let at = y * step + left * bytes + offset, x = left; x < right; x += stride) {
            sum += from[at]!;
            at += bytes * stride;
            count++;
          }
        }
        data[out] = count === 1 ? sum : (sum / count + 0.5) | 0;
        out += channels;
      }
    }
  }
  return { picture: { kind: 'pixels', data, ...size, channels } };
}

function picked(
  image: Image,
  { bytes, metres }: { bytes: number; metres: number },
  shrink: number,
  size: Size,
): Pixels {
  const view = new DataView(image.data.buffer, image.data.byteOffset, image.data.byteLength);
  const little = !image.bigEndian;
  const values = new Float32Array(size.width * size.height);
  let near = Infinity;
  let far = -Infinity;
  for (let row = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++) {
      const at = row * shrink * image.step + column * shrink * bytes;
      const value = bytes === 2 ? view.getUint16(at, little) : view.getFloat32(at, little);
      if (!Number.isFinite(value) || (value <= 0 && metres > 0)) continue;
      values[row * size.width + column] = value;
      near = Math.min(near, value);
      far = Math.max(far, value);
    }
  }
  const data = values.map((value) => {
    if (metres === 0) return Math.round(value / 257);
    return value <= 0 ? 0 : Math.round(255 - (far > near ? (value - near) / (far - near) : 0) * 223);
  });
  const picture = { kind: 'pixels', data: Uint8Array.from(data), ...size, channels: 1 } as const;
  if (metres === 0 || near === Infinity) return { picture };
  return { picture, depth: { near: near * metres, far: far * metres } };
}

function unreadable(encoding: string): EdgeError {
  return new EdgeError('robot.not_supported', {
    operation: 'look',
    subject: encoding.slice(0, 64),
    message: `image encoding ${JSON.stringify(encoding.slice(0, 64))} is not supported`,
    hint: `supported encodings: ${ENCODINGS.join(', ')}; or let the camera publish sensor_msgs/CompressedImage`,
  });
}
