import type { JointTarget } from '../../contract/core.ts';
import { CdrReader } from './cdr-reader.ts';
import { readHeader } from './geometry.ts';
import { malformed } from './malformed.ts';

export const JOINT_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory';

/** The least that a name takes, and a point: four empty lists and a duration. */
const NAME_BYTES_MIN = 4;
const POINT_BYTES_MIN = 24;
/** Joints times points: more than any robot needs; limits the memory of a message. */
const TARGETS_MAX = 1_000_000;

export type JointTrajectory = {
  readonly joints: readonly string[];
  /** A joint without a position in a point is NaN there, so that a check of the points refuses it. */
  readonly points: readonly JointTarget[];
  /**
   * Of each point in the order of the joints, radians or metres per second; empty if the message has no velocities.
   */
  readonly velocities: readonly Float64Array[];
  /** Accelerations and efforts included. */
  readonly allFinite: boolean;
};

/** trajectory_msgs/JointTrajectory. Throws `sample.malformed`. */
export function decodeJointTrajectory(bytes: Uint8Array): JointTrajectory {
  const reader = new CdrReader(bytes, JOINT_TRAJECTORY);
  readHeader(reader);
  const joints = Array.from({ length: reader.sequenceLength(NAME_BYTES_MIN) }, () => reader.string());
  const count = reader.sequenceLength(POINT_BYTES_MIN);
  if (joints.length * count > TARGETS_MAX)
    throw malformed(JOINT_TRAJECTORY, `${count} points of ${joints.length} joints exceed the limit`);
  const velocities: Float64Array[] = [];
  let allFinite = true;
  const points = Array.from({ length: count }, () => {
    const positions = reader.float64Array();
    const speeds = reader.float64Array();
    for (const values of [positions, speeds, reader.float64Array(), reader.float64Array()])
      allFinite &&= values.every(Number.isFinite);
    velocities.push(speeds);
    const timeFromStartMs = reader.int32() * 1_000 + reader.uint32() / 1e6;
    return {
      positions: Object.fromEntries(joints.map((name, i) => [name, positions[i] ?? Number.NaN])),
      timeFromStartMs,
    };
  });
  return { joints, points, velocities, allFinite };
}
