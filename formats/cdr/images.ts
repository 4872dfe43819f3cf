import { CdrReader } from './cdr-reader.ts';
import { CdrWriter } from './cdr-writer.ts';
import { type Header, readHeader, writeHeader } from './geometry.ts';
import { malformed } from './malformed.ts';

export type Image = {
  readonly header: Header;
  readonly height: number;
  readonly width: number;
  /** By sensor_msgs/image_encodings.hpp, for example `rgb8` or `16UC1`. */
  readonly encoding: string;
  readonly bigEndian: boolean;
  /** Bytes of a row, padding included. */
  readonly step: number;
  readonly data: Uint8Array;
};

export type CompressedImage = {
  readonly header: Header;
  /** For example `jpeg` or `rgb8; jpeg compressed bgr8`. */
  readonly format: string;
  readonly data: Uint8Array;
};

export const IMAGE = 'sensor_msgs/msg/Image';
export const COMPRESSED_IMAGE = 'sensor_msgs/msg/CompressedImage';

/** Throws `sample.malformed` also where rows are longer than the data. */
export function decodeImage(bytes: Uint8Array): Image {
  const reader = new CdrReader(bytes, IMAGE);
  const image = {
    header: readHeader(reader),
    height: reader.uint32(),
    width: reader.uint32(),
    encoding: reader.string(),
    bigEndian: reader.uint8() !== 0,
    step: reader.uint32(),
    data: reader.uint8Array(),
  };
  if (image.step * image.height > image.data.length)
    throw malformed(
      IMAGE,
      `${image.height} rows of ${image.step} bytes do not fit ${image.data.length} bytes of data`,
    );
  return image;
}

export function encodeImage(image: Image): Uint8Array {
  const writer = new CdrWriter(64 + 3 * image.header.frame_id.length + image.data.length);
  writeHeader(writer, image.header);
  writer.uint32(image.height);
  writer.uint32(image.width);
  writer.string(image.encoding);
  writer.uint8(image.bigEndian ? 1 : 0);
  writer.uint32(image.step);
  writer.sequence(image.data);
  return writer.finish();
}

export function decodeCompressedImage(bytes: Uint8Array): CompressedImage {
  const reader = new CdrReader(bytes, COMPRESSED_IMAGE);
  return { header: readHeader(reader), format: reader.string(), data: reader.uint8Array() };
}

export function encodeCompressedImage(image: CompressedImage): Uint8Array {
  const writer = new CdrWriter(64 + 3 * image.header.frame_id.length + image.data.length);
  writeHeader(writer, image.header);
  writer.string(image.format);
  writer.sequence(image.data);
  return writer.finish();
}
