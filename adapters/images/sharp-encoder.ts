import { EdgeError, type EncodedImage, type ImageEncoder, type Picture } from '../../contract/core.ts';
import { loadSharp, type MakeSharp, PICTURE_FORMATS, PICTURE_PIXELS_MAX } from './sharp-loader.ts';

/**
 * JPEGs by libvips, through `sharp`. It is loaded at the first image: about 15 MB that a robot whose agents do not
 * look never pays. It works in threads of its own and does not block the main thread.
 */
export class SharpEncoder implements ImageEncoder {
  #loading: Promise<MakeSharp> | undefined;

  async encode(
    picture: Picture,
    { sideMax, quality }: { readonly sideMax: number; readonly quality: number },
  ): Promise<EncodedImage> {
    this.#loading ??= loadSharp();
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
      throw malformed(`the image cannot be read: ${(error as Error).message}`, error);
    }
  }
}

async function open(make: MakeSharp, picture: Picture) {
  if (picture.kind === 'pixels') {
    const { width, height, channels, data } = picture;
    if (data.length !== width * height * channels)
      throw malformed(`${data.length} bytes do not fit ${width} x ${height} pixels of ${channels} bytes`);
    return { image: make(data, { raw: { width, height, channels } }), size: { width, height } };
  }
  const options = { limitInputPixels: PICTURE_PIXELS_MAX, failOn: 'truncated', pages: 1 } as const;
  const { format, width, height } = await make(picture.data, options).metadata();
  if (!PICTURE_FORMATS.has(format)) throw malformed(`image format ${format} is not supported`);
  // Turned upright by its EXIF note, and without transparency: models look at what people would see.
  const image = make(picture.data, options).autoOrient().flatten({ background: '#000' });
  return { image, size: { width, height } };
}

function malformed(message: string, cause?: unknown): EdgeError {
  return new EdgeError('sample.malformed', {
    operation: 'encode image',
    subject: 'picture',
    message: message.slice(0, 512),
    cause,
  });
}
