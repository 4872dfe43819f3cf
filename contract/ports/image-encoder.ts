import type { ToolImage } from './tool.ts';

/** A picture as a robot's camera gives it: pixels, or a file in one of the formats that cameras compress to. */
export type Picture =
  | {
      readonly kind: 'pixels';
      /** Rows from the top, without padding; 1 (grey) or 3 (red, green, blue) bytes per pixel. */
      readonly data: Uint8Array;
      readonly width: number;
      readonly height: number;
      readonly channels: 1 | 3;
    }
  | { readonly kind: 'compressed'; readonly data: Uint8Array };

export type EncodedImage = ToolImage & {
  readonly width: number;
  readonly height: number;
  /** Size of the picture before it was made smaller. */
  readonly from: { readonly width: number; readonly height: number };
};

/**
 * Pictures for models. `encode` gives a JPEG whose longer side is at most `sideMax` pixels, never larger than the
 * picture was; `quality` is 1 to 100. The bytes of a compressed picture are not trusted: bytes that are no picture, or
 * that would unpack to more than a limit, reject with `sample.malformed`; no encoder on this host is `host.missing`.
 */
export interface ImageEncoder {
  encode(
    picture: Picture,
    options: { readonly sideMax: number; readonly quality: number },
  ): Promise<EncodedImage>;
}
