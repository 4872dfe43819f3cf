import type { Sharp, SharpOptions } from 'sharp';
import { EdgeError, type EncodedImage, type ImageEncoder, type Picture } from '../../contract/core.ts';

/** Pixels that a compressed picture may unpack to: 8K. Beyond it is a bomb. */
const PIXELS_MAX = 7_680 * 4_320;
/** What cameras compress to. libvips reads much more (PDF, SVG, archives): nothing of that comes from a camera. */
const FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp']);

type Make = (input: Uint8Array, options: SharpOptions) => Sharp;

/**
 * JPEGs by libvips, through `sharp`. It is loaded at the first picture: about 15 MB that a robot whose agents do not
 * look never pays. It works in threads of its own and blocks nobody.
 */
export class SharpEncoder implements ImageEncoder {
  #loading: Promise<Make> | undefined;

  async encode(
    picture: Picture,
    { sideMax, quality }: { readonly sideMax: number; readonly quality: number },
  ): Promise<EncodedImage> {
    this.#loading ??= load();
    const make = await this.#loading;
    try {
      const source = await open(make, picture);
      const { data, info } = await source.image
        .resize({ width: sideMax, height: sideMax, fit: 'inside', withoutEnlargement: true })
        .jpeg({ quality })
        .toBuffer({ resolveWithObject: true });
      const { width, height } = info;
      return { mime: 'image/jpeg', data: new Uint8Array(data), width, height, from: source.size };
    } catch (error) {
      if (error instanceof EdgeError) throw error;
      throw malformed(`the picture cannot be read: ${(error as Error).message}`, error);
    }
  }
}

async function open(make: Make, picture: Picture) {
  if (picture.kind === 'pixels') {
    const { width, height, channels, data } = picture;
    if (data.length !== width * height * channels)
      throw malformed(`${data.length} bytes for ${width} x ${height} pixels of ${channels} bytes`);
    return { image: make(data, { raw: { width, height, channels } }), size: { width, height } };
  }
  const options = { limitInputPixels: PIXELS_MAX, failOn: 'truncated', pages: 1 } as const;
  const { format, width, height } = await make(picture.data, options).metadata();
  if (!FORMATS.has(format)) throw malformed(`${format} is not what cameras compress to`);
  // Turned upright by its EXIF note, and without transparency: models look at what people would see.
  const image = make(picture.data, options).autoOrient().flatten({ background: '#000' });
  return { image, size: { width, height } };
}

async function load(): Promise<Make> {
  try {
    const { default: sharp } = await import('sharp');
    // Nothing is kept between two pictures, and one picture costs one thread of a robot's few.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  } catch (error) {
    throw new EdgeError('host.missing', {
      operation: 'load image encoder',
      subject: 'sharp',
      message: `pictures cannot be encoded on this host: ${(error as Error).message.split('\n')[0]}`,
      hint: 'npm install brings the packages @img/sharp-linux-x64 or -arm64 (glibc)',
      cause: error,
    });
  }
}

function malformed(message: string, cause?: unknown): EdgeError {
  return new EdgeError('sample.malformed', {
    operation: 'encode image',
    subject: 'picture',
    message: message.slice(0, 512),
    cause,
  });
}
