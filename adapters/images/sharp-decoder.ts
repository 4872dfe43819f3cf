import { EdgeError } from '../../contract/core.ts';
import { loadSharp, PICTURE_FORMATS, PICTURE_PIXELS_MAX } from './sharp-loader.ts';

/** Rows from the top without padding, red, green, blue. */
export type DecodedPicture = { readonly data: Uint8Array; readonly width: number; readonly height: number };

/**
 * Pixels of an image that a camera compressed, by libvips, in threads of its own. What is no JPEG, PNG or WebP, or
 * would unpack to more than 8K, rejects with `sample.malformed`; no decoder on this host is `host.missing`.
 */
export async function decodePicture(file: Uint8Array): Promise<DecodedPicture> {
  const sharp = await loadSharp();
  try {
    const options = { limitInputPixels: PICTURE_PIXELS_MAX, failOn: 'truncated', pages: 1 } as const;
    const { format } = await sharp(file, options).metadata();
    if (!PICTURE_FORMATS.has(format)) throw new Error(`image format ${format} is not supported`);
    const { data, info } = await sharp(file, options)
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new Error(`${info.channels} channels`);
    return { data: new Uint8Array(data), width: info.width, height: info.height };
  } catch (cause) {
    throw new EdgeError('sample.malformed', {
      operation: 'decode image',
      subject: 'picture',
      message: `the image cannot be read: ${(cause as Error).message}`.slice(0, 512),
      cause,
    });
  }
}
