import { EdgeError, type Sample } from '../../contract/core.ts';
import {
  COMPRESSED_IMAGE,
  decodeCompressedImage,
  decodeImage,
  IMAGE,
  type Image,
} from '../../formats/cdr/index.ts';

/** rgb8 of a compressed image, rows from the top. Rejects with `sample.malformed`. */
export type PictureDecoder = (
  file: Uint8Array,
) => Promise<{ readonly data: Uint8Array; readonly width: number; readonly height: number }>;

/** Bytes of a pixel and where in it red, green and blue are. */
const LAYOUTS: Readonly<
  Record<string, { readonly bytes: number; readonly order: readonly [number, number, number] }>
> = {
  rgb8: { bytes: 3, order: [0, 1, 2] },
  bgr8: { bytes: 3, order: [2, 1, 0] },
  '8UC3': { bytes: 3, order: [2, 1, 0] },
  rgba8: { bytes: 4, order: [0, 1, 2] },
  bgra8: { bytes: 4, order: [2, 1, 0] },
  mono8: { bytes: 1, order: [0, 0, 0] },
  '8UC1': { bytes: 1, order: [0, 0, 0] },
};
/** 8K: a larger size is not that of an image. */
const SIDE_MAX = 8_192;

/** An image of a message, rgb8 of [height, width, 3]. Rejects with `sample.malformed`. */
export async function readPicture(
  { topic, type, bytes }: Sample,
  decode: PictureDecoder | undefined,
): Promise<{ readonly rgb: Uint8Array; readonly width: number; readonly height: number }> {
  if (type === IMAGE) {
    const image = decodeImage(bytes);
    pictureSize(image, topic);
    return { rgb: toRgb(image), width: image.width, height: image.height };
  }
  if (type !== COMPRESSED_IMAGE || !decode) throw malformed(topic, `${type} is not an image type`);
  const { data, width, height } = await decode(decodeCompressedImage(bytes).data);
  return { rgb: data, width, height };
}

/** `WIDTHxHEIGHT` of the image in a message; of a compressed one `known`, where that is known. */
export async function sizeOf(
  sample: Sample,
  decode: PictureDecoder | undefined,
  known: string,
): Promise<string> {
  if (sample.type === IMAGE) return pictureSize(decodeImage(sample.bytes), sample.topic);
  if (known !== '') return known;
  const { width, height } = await readPicture(sample, decode);
  return `${width}x${height}`;
}

/** `WIDTHxHEIGHT`. Throws `sample.malformed` for what cannot become rgb8. */
function pictureSize(image: Image, topic: string): string {
  const { encoding, width, height, step, data } = image;
  const layout = LAYOUTS[encoding];
  if (!layout)
    throw malformed(
      topic,
      `image encoding ${encoding} is not supported; supported: ${Object.keys(LAYOUTS).join(', ')}`,
    );
  if (width < 1 || height < 1 || width > SIDE_MAX || height > SIDE_MAX)
    throw malformed(topic, `an image of ${width} x ${height}`);
  if (step < width * layout.bytes || data.length < step * height)
    throw malformed(topic, `${data.length} bytes in rows of ${step} do not fit ${width} x ${height} pixels`);
  return `${width}x${height}`;
}

/** rgb8 of [height, width, 3] without padding; of an image that `pictureSize` took. */
function toRgb({ encoding, width, height, step, data }: Image): Uint8Array {
  const { bytes, order } = LAYOUTS[encoding]!;
  const rgb = new Uint8Array(width * height * 3);
  const isPlain = encoding === 'rgb8';
  for (let y = 0; y < height; y++) {
    const row = y * step;
    if (isPlain) {
      rgb.set(data.subarray(row, row + width * 3), y * width * 3);
      continue;
    }
    for (let x = 0, to = y * width * 3; x < width; x++, to += 3) {
      const from = row + x * bytes;
      rgb[to] = data[from + order[0]]!;
      rgb[to + 1] = data[from + order[1]]!;
      rgb[to + 2] = data[from + order[2]]!;
    }
  }
  return rgb;
}

function malformed(subject: string, message: string): EdgeError {
  return new EdgeError('sample.malformed', {
    operation: 'export',
    subject,
    message: `${subject}: ${message}`,
  });
}
