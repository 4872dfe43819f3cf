import { CdrReader } from './cdr-reader.ts';
import { CdrWriter } from './cdr-writer.ts';
import { type Header, readHeader, writeHeader } from './geometry.ts';
import { malformed } from './malformed.ts';

/** Angles in radians counter-clockwise from the frame's x axis, times in seconds, ranges in metres. */
export type LaserScan = {
  readonly header: Header;
  readonly angle_min: number;
  readonly angle_max: number;
  readonly angle_increment: number;
  readonly time_increment: number;
  readonly scan_time: number;
  readonly range_min: number;
  readonly range_max: number;
  /** `Infinity` where nothing was hit within `range_max` (REP-117). */
  readonly ranges: Float32Array;
  readonly intensities: Float32Array;
};

export type JointState = {
  readonly header: Header;
  readonly name: readonly string[];
  readonly position: Float64Array;
  readonly velocity: Float64Array;
  readonly effort: Float64Array;
};

export const LASER_SCAN = 'sensor_msgs/msg/LaserScan';
export const JOINT_STATE = 'sensor_msgs/msg/JointState';

export function decodeLaserScan(bytes: Uint8Array): LaserScan {
  const reader = new CdrReader(bytes, LASER_SCAN);
  return {
    header: readHeader(reader),
    angle_min: reader.float32(),
    angle_max: reader.float32(),
    angle_increment: reader.float32(),
    time_increment: reader.float32(),
    scan_time: reader.float32(),
    range_min: reader.float32(),
    range_max: reader.float32(),
    ranges: reader.float32Array(),
    intensities: reader.float32Array(),
  };
}

export function encodeLaserScan(scan: LaserScan): Uint8Array {
  const writer = new CdrWriter(
    72 + 3 * scan.header.frame_id.length + 4 * (scan.ranges.length + scan.intensities.length),
  );
  writeHeader(writer, scan.header);
  writer.float32(scan.angle_min);
  writer.float32(scan.angle_max);
  writer.float32(scan.angle_increment);
  writer.float32(scan.time_increment);
  writer.float32(scan.scan_time);
  writer.float32(scan.range_min);
  writer.float32(scan.range_max);
  writer.sequence(scan.ranges);
  writer.sequence(scan.intensities);
  return writer.finish();
}

/** The least a string takes: its length. */
const STRING_BYTES_MIN = 4;

export function decodeJointState(bytes: Uint8Array): JointState {
  const reader = new CdrReader(bytes, JOINT_STATE);
  const header = readHeader(reader);
  const name = Array.from({ length: reader.sequenceLength(STRING_BYTES_MIN) }, () => reader.string());
  const position = reader.float64Array();
  const velocity = reader.float64Array();
  const effort = reader.float64Array();
  for (const values of [position, velocity, effort]) {
    // Each may be empty; one of another length belongs to no joints.
    if (values.length !== 0 && values.length !== name.length) {
      throw malformed(JOINT_STATE, `${values.length} values were given for ${name.length} joints`);
    }
  }
  return { header, name, position, velocity, effort };
}

export function encodeJointState(state: JointState): Uint8Array {
  const writer = new CdrWriter(64 + 48 * state.name.length);
  writeHeader(writer, state.header);
  writer.uint32(state.name.length);
  for (const name of state.name) writer.string(name);
  writer.sequence(state.position);
  writer.sequence(state.velocity);
  writer.sequence(state.effort);
  return writer.finish();
}
