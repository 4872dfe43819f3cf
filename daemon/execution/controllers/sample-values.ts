import { EdgeError, type Sample } from '../../../contract/core.ts';
import {
  BOOL,
  CdrReader,
  decodeFloat32MultiArray,
  decodeFloat64MultiArray,
  decodeJointState,
  decodeOdometry,
  FLOAT32_MULTI_ARRAY,
  FLOAT64_MULTI_ARRAY,
  JOINT_STATE,
  ODOMETRY,
  readHeader,
  readPose,
  readTwist,
} from '../../../formats/cdr/index.ts';
import type { InputSpec } from './controller-spec.ts';

type Read = (reader: CdrReader) => number[];

/** Position and quaternion: x, y, z, qx, qy, qz, qw. */
const pose: Read = (reader) => {
  const { position: p, orientation: q } = readPose(reader);
  return [p.x, p.y, p.z, q.x, q.y, q.z, q.w];
};
/** Linear and angular: vx, vy, vz, wx, wy, wz. */
const twist: Read = (reader) => {
  const { linear: v, angular: w } = readTwist(reader);
  return [v.x, v.y, v.z, w.x, w.y, w.z];
};
const stamped =
  (read: Read): Read =>
  (reader) => {
    readHeader(reader);
    return read(reader);
  };
const READERS: Readonly<Record<string, Read>> = {
  'geometry_msgs/msg/Pose': pose,
  'geometry_msgs/msg/PoseStamped': stamped(pose),
  'geometry_msgs/msg/Twist': twist,
  'geometry_msgs/msg/TwistStamped': stamped(twist),
  'std_msgs/msg/Float32': (r) => [r.float32()],
  'std_msgs/msg/Float64': (r) => [r.float64()],
  'std_msgs/msg/Int32': (r) => [r.int32()],
  [BOOL]: (r) => [r.bool() ? 1 : 0],
};

/** The message types that become numbers; images are read elsewhere. */
export const VECTOR_TYPES: readonly string[] = [
  JOINT_STATE,
  ODOMETRY,
  FLOAT32_MULTI_ARRAY,
  FLOAT64_MULTI_ARRAY,
  ...Object.keys(READERS),
];

/**
 * The numbers of one message: joints by name, a pose as position and quaternion, odometry as pose then twist. Throws
 * `sample.malformed`, and `model.bad_observation` for a type that is no vector and for joints that are not in it.
 */
export function vectorOf(sample: Sample, input: InputSpec): number[] {
  if (sample.type === JOINT_STATE) return jointsOf(sample, input);
  if (sample.type === FLOAT64_MULTI_ARRAY) return [...decodeFloat64MultiArray(sample.bytes)];
  if (sample.type === FLOAT32_MULTI_ARRAY) return [...decodeFloat32MultiArray(sample.bytes)];
  if (sample.type === ODOMETRY) {
    const message = decodeOdometry(sample.bytes);
    const { position: p, orientation: q } = message.pose.pose;
    const { linear: v, angular: w } = message.twist.twist;
    return [p.x, p.y, p.z, q.x, q.y, q.z, q.w, v.x, v.y, v.z, w.x, w.y, w.z];
  }
  const read = READERS[sample.type];
  if (read) return read(new CdrReader(sample.bytes, sample.type));
  throw bad(
    input,
    `${sample.type} on ${sample.topic} cannot be read as a vector; supported types: ${VECTOR_TYPES.join(', ')}`,
  );
}

function jointsOf(sample: Sample, input: InputSpec): number[] {
  const state = decodeJointState(sample.bytes);
  const values = state[input.field];
  if (input.joints.length === 0) {
    if (values.length !== state.name.length) throw bad(input, `${sample.topic} has no ${input.field}`);
    return [...values];
  }
  return input.joints.map((joint) => {
    const at = state.name.indexOf(joint);
    if (at < 0)
      throw bad(input, `${sample.topic} reports the joints ${state.name.join(', ')}, but not ${joint}`);
    const value = values[at];
    if (value === undefined) throw bad(input, `${sample.topic} has no ${input.field}`);
    return value;
  });
}

function bad({ name }: InputSpec, message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'observe', subject: name, message });
}
