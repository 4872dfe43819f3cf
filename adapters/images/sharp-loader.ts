import type { Sharp, SharpOptions } from 'sharp';
import { EdgeError } from '../../contract/core.ts';

/** Pixels that a compressed image may unpack to: 8K. Beyond it is a bomb. */
export const PICTURE_PIXELS_MAX = 7_680 * 4_320;
/** What cameras compress to. libvips reads much more (PDF, SVG, archives): nothing of that comes from a camera. */
export const PICTURE_FORMATS: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp']);

export type MakeSharp = (input: Uint8Array, options: SharpOptions) => Sharp;

/** Loaded at the first image. Throws `host.missing`. */
export async function loadSharp(): Promise<MakeSharp> {
  try {
    const { default: sharp } = await import('sharp');
    // Nothing is kept between two images, and one image costs one thread of a robot's few.
    sharp.cache(false);
    sharp.concurrency(1);
    return sharp;
  } catch (error) {
    throw new EdgeError('host.missing', {
      operation: 'load image encoder',
      subject: 'sharp',
      message: `images cannot be encoded on this host: ${(error as Error).message.split('\n')[0]}`,
      hint: 'run npm install to get the package @img/sharp-linux-x64 or -arm64 (glibc)',
      cause: error,
    });
  }
}
