import { CdrReader } from './cdr-reader.ts';
import { CdrWriter } from './cdr-writer.ts';

export const FLOAT64_MULTI_ARRAY = 'std_msgs/msg/Float64MultiArray';
export const FLOAT32_MULTI_ARRAY = 'std_msgs/msg/Float32MultiArray';

/** The least a MultiArrayDimension takes: an empty label and two numbers. */
const DIMENSION_BYTES_MIN = 12;

/** A flat list of numbers: no dimensions, as ros2_control's forward controllers take it. */
export function encodeFloat64MultiArray(values: Float64Array): Uint8Array {
  const writer = new CdrWriter(24 + values.byteLength);
  writer.uint32(0);
  writer.uint32(0);
  writer.sequence(values);
  return writer.finish();
}

/** Its numbers as a flat list, for any dimensions. */
export function decodeFloat64MultiArray(bytes: Uint8Array): Float64Array {
  const reader = new CdrReader(bytes, FLOAT64_MULTI_ARRAY);
  skipLayout(reader);
  return reader.float64Array();
}

export function decodeFloat32MultiArray(bytes: Uint8Array): Float32Array {
  const reader = new CdrReader(bytes, FLOAT32_MULTI_ARRAY);
  skipLayout(reader);
  return reader.float32Array();
}

function skipLayout(reader: CdrReader): void {
  const dimensions = reader.sequenceLength(DIMENSION_BYTES_MIN);
  for (let i = 0; i < dimensions; i++) {
    reader.string();
    reader.uint32();
    reader.uint32();
  }
  reader.uint32();
}
