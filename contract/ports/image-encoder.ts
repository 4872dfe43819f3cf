import type { BodyOf } from '../bodies/kit.ts';
import type * as recordings from '../bodies/recording.ts';
import type { ToolImage } from './tool.ts';

/** An image as a robot's camera gives it: pixels, or a file in one of the formats that cameras compress to. */
export type Picture = BodyOf<typeof recordings.Picture>;

export type EncodedImage = ToolImage & {
  readonly width: number;
  readonly height: number;
  /** Size of the image before it was made smaller. */
  readonly from: { readonly width: number; readonly height: number };
};

/**
 * Images for models. `encode` gives a JPEG whose longer side is at most `sideMax` pixels, never larger than the
 * image was; `quality` is 1 to 100. The bytes of a compressed image are not trusted: bytes that are not an image, or
 * that would unpack to more than a limit, reject with `sample.malformed`; no encoder on this host is `host.missing`.
 */
export interface ImageEncoder {
  encode(
    picture: Picture,
    options: { readonly sideMax: number; readonly quality: number },
  ): Promise<EncodedImage>;
}
