/** Limits of images that cross a cell border by their handle. */
export const LOOK_LIMITS = {
  /** One image that a tool names by its handle, bytes. */
  IMAGE_BYTES_MAX: 8 * 1024 * 1024,
  /** Looks that are worked on at a time; more are refused with `cell.overloaded`. */
  OPEN_MAX: 4,
  /** Encoding of the image of one look, milliseconds. */
  ENCODE_MS: 8_000,
  /** One look with its way to the disk and back, milliseconds. */
  LOOK_MS: 12_000,
} as const;
