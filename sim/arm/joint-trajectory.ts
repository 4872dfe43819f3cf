import type { JointTarget } from '../../contract/core.ts';
import { CdrReader, readHeader } from '../../formats/cdr/index.ts';

export const JOINT_TRAJECTORY = 'trajectory_msgs/msg/JointTrajectory';

/** The least that a name takes, and a point: four empty lists and a duration. */
const NAME_BYTES_MIN = 4;
const POINT_BYTES_MIN = 24;

/**
 * Points of a trajectory_msgs/JointTrajectory; velocities, accelerations and efforts are not looked at. A joint without
 * a position in a point is NaN there, so that whoever checks the points refuses them. Throws `sample.malformed`.
 */
export function decodeJointTrajectory(bytes: Uint8Array): JointTarget[] {
  const reader = new CdrReader(bytes, JOINT_TRAJECTORY);
  readHeader(reader);
  const names = Array.from({ length: reader.sequenceLength(NAME_BYTES_MIN) }, () => reader.string());
  return Array.from({ length: reader.sequenceLength(POINT_BYTES_MIN) }, () => {
    const positions = reader.float64Array();
    for (let i = 0; i < 3; i++) reader.float64Array();
    const timeFromStartMs = reader.int32() * 1_000 + reader.uint32() / 1e6;
    return {
      positions: Object.fromEntries(names.map((name, i) => [name, positions[i] ?? Number.NaN])),
      timeFromStartMs,
    };
  });
}
