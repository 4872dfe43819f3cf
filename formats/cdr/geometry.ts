import type { Nanoseconds } from '../../contract/core.ts';
import { CdrReader } from './cdr-reader.ts';
import { CdrWriter } from './cdr-writer.ts';

/**
 * Messages keep the field names of ROS 2, so that they read like their definition; only times are
 * nanoseconds. Metres, radians and seconds throughout (REP-103).
 */
export type Header = { readonly stamp: Nanoseconds; readonly frame_id: string };
export type Vector3 = { readonly x: number; readonly y: number; readonly z: number };
export type Quaternion = Vector3 & { readonly w: number };
export type Pose = { readonly position: Vector3; readonly orientation: Quaternion };
/** Velocities of `base_link`: metres per second, radians per second. */
export type Twist = { readonly linear: Vector3; readonly angular: Vector3 };
export type TwistStamped = { readonly header: Header; readonly twist: Twist };
export type TransformStamped = {
  readonly header: Header;
  readonly child_frame_id: string;
  readonly transform: { readonly translation: Vector3; readonly rotation: Quaternion };
};

export const TWIST = 'geometry_msgs/msg/Twist';
export const TWIST_STAMPED = 'geometry_msgs/msg/TwistStamped';
export const TF_MESSAGE = 'tf2_msgs/msg/TFMessage';

/** The least a TransformStamped takes: stamp, two empty strings, seven float64. */
const TRANSFORM_BYTES_MIN = 8 + 5 + 5 + 56;

export function readHeader(reader: CdrReader): Header {
  return { stamp: reader.stamp(), frame_id: reader.string() };
}
export function writeHeader(writer: CdrWriter, header: Header): void {
  writer.stamp(header.stamp);
  writer.string(header.frame_id);
}
export function readVector3(reader: CdrReader): Vector3 {
  return { x: reader.float64(), y: reader.float64(), z: reader.float64() };
}
export function writeVector3(writer: CdrWriter, vector: Vector3): void {
  writer.float64(vector.x);
  writer.float64(vector.y);
  writer.float64(vector.z);
}
export function readQuaternion(reader: CdrReader): Quaternion {
  return { x: reader.float64(), y: reader.float64(), z: reader.float64(), w: reader.float64() };
}
export function writeQuaternion(writer: CdrWriter, rotation: Quaternion): void {
  writeVector3(writer, rotation);
  writer.float64(rotation.w);
}
export function readPose(reader: CdrReader): Pose {
  return { position: readVector3(reader), orientation: readQuaternion(reader) };
}
export function writePose(writer: CdrWriter, pose: Pose): void {
  writeVector3(writer, pose.position);
  writeQuaternion(writer, pose.orientation);
}
export function readTwist(reader: CdrReader): Twist {
  return { linear: readVector3(reader), angular: readVector3(reader) };
}
export function writeTwist(writer: CdrWriter, twist: Twist): void {
  writeVector3(writer, twist.linear);
  writeVector3(writer, twist.angular);
}

export function decodeTwist(bytes: Uint8Array): Twist {
  return readTwist(new CdrReader(bytes, TWIST));
}
export function encodeTwist(twist: Twist): Uint8Array {
  const writer = new CdrWriter(52);
  writeTwist(writer, twist);
  return writer.finish();
}
export function decodeTwistStamped(bytes: Uint8Array): TwistStamped {
  const reader = new CdrReader(bytes, TWIST_STAMPED);
  return { header: readHeader(reader), twist: readTwist(reader) };
}
export function encodeTwistStamped(message: TwistStamped): Uint8Array {
  const writer = new CdrWriter(96);
  writeHeader(writer, message.header);
  writeTwist(writer, message.twist);
  return writer.finish();
}

/** tf2_msgs/msg/TFMessage: its one field. */
export function decodeTf(bytes: Uint8Array): TransformStamped[] {
  const reader = new CdrReader(bytes, TF_MESSAGE);
  const count = reader.sequenceLength(TRANSFORM_BYTES_MIN);
  return Array.from({ length: count }, () => ({
    header: readHeader(reader),
    child_frame_id: reader.string(),
    transform: { translation: readVector3(reader), rotation: readQuaternion(reader) },
  }));
}
export function encodeTf(transforms: readonly TransformStamped[]): Uint8Array {
  const writer = new CdrWriter(16 + transforms.length * 128);
  writer.uint32(transforms.length);
  for (const { header, child_frame_id, transform } of transforms) {
    writeHeader(writer, header);
    writer.string(child_frame_id);
    writeVector3(writer, transform.translation);
    writeQuaternion(writer, transform.rotation);
  }
  return writer.finish();
}

/** Heading of a unit quaternion: rotation about z of the ZYX convention (REP-103), radians. */
export function yawOf(q: Quaternion): number {
  return Math.atan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y * q.y + q.z * q.z));
}
export function quaternionOfYaw(yaw: number): Quaternion {
  return { x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) };
}
