import type { Nanoseconds } from '../../contract/core.ts';
import { CdrReader } from './cdr-reader.ts';
import { CdrWriter } from './cdr-writer.ts';
import {
  type Header,
  type Pose,
  readHeader,
  readPose,
  readTwist,
  type Twist,
  writeHeader,
  writePose,
  writeTwist,
} from './geometry.ts';
import { malformed } from './malformed.ts';

/** Pose in `header.frame_id`, twist in `child_frame_id`; covariances are 6x6 row-major. */
export type Odometry = {
  readonly header: Header;
  readonly child_frame_id: string;
  readonly pose: { readonly pose: Pose; readonly covariance: Float64Array };
  readonly twist: { readonly twist: Twist; readonly covariance: Float64Array };
};

export type OccupancyGrid = {
  readonly header: Header;
  readonly info: {
    readonly map_load_time: Nanoseconds;
    /** Metres per cell. */
    readonly resolution: number;
    readonly width: number;
    readonly height: number;
    readonly origin: Pose;
  };
  /** Row-major from the origin; -1 unknown, 0 free, 100 occupied. */
  readonly data: Int8Array;
};

export const ODOMETRY = 'nav_msgs/msg/Odometry';
export const OCCUPANCY_GRID = 'nav_msgs/msg/OccupancyGrid';
export const CLOCK = 'rosgraph_msgs/msg/Clock';
export const BOOL = 'std_msgs/msg/Bool';

const COVARIANCE = 36;

export function decodeOdometry(bytes: Uint8Array): Odometry {
  const reader = new CdrReader(bytes, ODOMETRY);
  return {
    header: readHeader(reader),
    child_frame_id: reader.string(),
    pose: { pose: readPose(reader), covariance: reader.float64Array(COVARIANCE) },
    twist: { twist: readTwist(reader), covariance: reader.float64Array(COVARIANCE) },
  };
}

/** Throws `sample.malformed` for a covariance that is not 6x6. */
export function encodeOdometry(odometry: Odometry): Uint8Array {
  const { pose, twist } = odometry;
  if (pose.covariance.length !== COVARIANCE || twist.covariance.length !== COVARIANCE) {
    throw malformed(ODOMETRY, 'the covariance is not 6x6');
  }
  const writer = new CdrWriter(768);
  writeHeader(writer, odometry.header);
  writer.string(odometry.child_frame_id);
  writePose(writer, pose.pose);
  writer.array(pose.covariance);
  writeTwist(writer, twist.twist);
  writer.array(twist.covariance);
  return writer.finish();
}

export function decodeOccupancyGrid(bytes: Uint8Array): OccupancyGrid {
  const reader = new CdrReader(bytes, OCCUPANCY_GRID);
  const header = readHeader(reader);
  const info = {
    map_load_time: reader.stamp(),
    resolution: reader.float32(),
    width: reader.uint32(),
    height: reader.uint32(),
    origin: readPose(reader),
  };
  const data = reader.int8Array();
  if (data.length !== info.width * info.height) {
    throw malformed(
      OCCUPANCY_GRID,
      `the grid is ${info.width} x ${info.height}, but has ${data.length} cells`,
    );
  }
  return { header, info, data };
}

export function encodeOccupancyGrid(grid: OccupancyGrid): Uint8Array {
  const writer = new CdrWriter(128 + 3 * grid.header.frame_id.length + grid.data.length);
  writeHeader(writer, grid.header);
  writer.stamp(grid.info.map_load_time);
  writer.float32(grid.info.resolution);
  writer.uint32(grid.info.width);
  writer.uint32(grid.info.height);
  writePose(writer, grid.info.origin);
  writer.sequence(grid.data);
  return writer.finish();
}

/** rosgraph_msgs/msg/Clock: its one field. */
export function encodeClock(time: Nanoseconds): Uint8Array {
  const writer = new CdrWriter(12);
  writer.stamp(time);
  return writer.finish();
}

/** std_msgs/msg/Bool: its one field. */
export function decodeBool(bytes: Uint8Array): boolean {
  return new CdrReader(bytes, BOOL).bool();
}
export const FLOAT32 = 'std_msgs/msg/Float32';

export function encodeFloat32(value: number): Uint8Array {
  const writer = new CdrWriter(8);
  writer.float32(value);
  return writer.finish();
}

export function encodeBool(value: boolean): Uint8Array {
  const writer = new CdrWriter(5);
  writer.bool(value);
  return writer.finish();
}
