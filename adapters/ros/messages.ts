import type { Nanoseconds, TopicSpec, Twist2d } from '../../contract/index.ts';
import {
  CdrReader,
  decodeOdometry,
  encodeFloat64MultiArray,
  encodeTwist,
  encodeTwistStamped,
  FLOAT64_MULTI_ARRAY,
  TWIST,
  TWIST_STAMPED,
  yawOf,
} from '../../formats/cdr/index.ts';

/** The few messages that this room understands; everything else passes through as bytes. */

/** A velocity command in `base_link` (REP-103) as `type`, Twist or TwistStamped. */
export function encodeVelocity(type: string, velocity: Twist2d, stamp: Nanoseconds): Uint8Array {
  const twist = {
    linear: { x: velocity.linear, y: 0, z: 0 },
    angular: { x: 0, y: 0, z: velocity.angular },
  };
  if (type !== TWIST_STAMPED) return encodeTwist(twist);
  return encodeTwistStamped({ header: { stamp, frame_id: 'base_link' }, twist });
}

/** The message that stops who listens to a topic, a base or joints; undefined where nothing has to be stopped. */
export function stopMessage({ type, speeds }: Pick<TopicSpec, 'type' | 'speeds'>): Uint8Array | undefined {
  if (type === FLOAT64_MULTI_ARRAY && speeds) return encodeFloat64MultiArray(new Float64Array(speeds));
  if (type !== TWIST && type !== TWIST_STAMPED) return undefined;
  return encodeVelocity(type, { linear: 0, angular: 0 }, 0n);
}

/** Odometry in the plane: pose in the odometry frame, velocity in `base_link`. */
export type PlanarOdometry = {
  readonly stamp: Nanoseconds;
  /** Name of the odometry frame. */
  readonly frame: string;
  readonly x: number;
  readonly y: number;
  readonly yaw: number;
  readonly linear: number;
  readonly angular: number;
};

/** Throws `sample.malformed`. */
export function decodePlanarOdometry(bytes: Uint8Array): PlanarOdometry {
  const { header, pose, twist } = decodeOdometry(bytes);
  const { position, orientation } = pose.pose;
  const { linear, angular } = twist.twist;
  return {
    stamp: header.stamp,
    frame: header.frame_id,
    x: position.x,
    y: position.y,
    yaw: yawOf(orientation),
    linear: linear.x,
    angular: angular.z,
  };
}

/** The scalars of std_msgs; 64-bit integers lose what a number cannot hold. */
const SCALARS: Readonly<Record<string, (reader: CdrReader) => boolean | number>> = {
  'std_msgs/msg/Bool': (reader) => reader.bool(),
  'std_msgs/msg/Byte': (reader) => reader.uint8(),
  'std_msgs/msg/Char': (reader) => reader.uint8(),
  'std_msgs/msg/Int8': (reader) => reader.int8(),
  'std_msgs/msg/UInt8': (reader) => reader.uint8(),
  'std_msgs/msg/Int16': (reader) => reader.int16(),
  'std_msgs/msg/UInt16': (reader) => reader.uint16(),
  'std_msgs/msg/Int32': (reader) => reader.int32(),
  'std_msgs/msg/UInt32': (reader) => reader.uint32(),
  'std_msgs/msg/Int64': (reader) => Number(reader.int64()),
  'std_msgs/msg/UInt64': (reader) => Number(reader.uint64()),
  'std_msgs/msg/Float32': (reader) => reader.float32(),
  'std_msgs/msg/Float64': (reader) => reader.float64(),
};

/** The value of a std_msgs scalar; undefined for every other type. Throws `sample.malformed`. */
export function decodeSignal(type: string, bytes: Uint8Array): boolean | number | undefined {
  return SCALARS[type]?.(new CdrReader(bytes, type));
}
