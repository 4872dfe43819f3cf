import type { Sample } from '../../../contract/core.ts';
import {
  decodeJointState,
  decodeOdometry,
  JOINT_STATE,
  ODOMETRY,
  yawOf,
} from '../../../formats/cdr/index.ts';

/**
 * What is measured of these joints, in this order; NaN where it is not reported. Undefined: the message lacks the
 * position of one of them.
 */
export function jointsOf(
  { type, bytes }: Sample,
  names: readonly string[],
):
  | {
      readonly positions: readonly number[];
      readonly velocities: readonly number[];
      readonly efforts: readonly number[];
    }
  | undefined {
  if (type !== JOINT_STATE) return undefined;
  try {
    const state = decodeJointState(bytes);
    const at = names.map((name) => state.name.indexOf(name));
    const positions = at.map((i) => state.position[i] ?? Number.NaN);
    // A message of other joints, or of a part of them, says nothing of where these are.
    if (!positions.every(Number.isFinite)) return undefined;
    const velocities = at.map((i) => state.velocity[i] ?? Number.NaN);
    return { positions, velocities, efforts: at.map((i) => state.effort[i] ?? Number.NaN) };
  } catch {
    // Unreadable joints are joints that did not come: they get too old, and that is declared.
    return undefined;
  }
}

/** Where a base is by its odometry, and how fast it moves: x, y, yaw. */
export function placeOf({
  type,
  bytes,
}: Sample): { readonly pose: readonly number[]; readonly speeds: readonly number[] } | undefined {
  if (type !== ODOMETRY) return undefined;
  try {
    const { pose, twist } = decodeOdometry(bytes);
    const { position, orientation } = pose.pose;
    const { linear, angular } = twist.twist;
    return {
      pose: [position.x, position.y, yawOf(orientation)],
      speeds: [linear.x, linear.y, angular.z],
    };
  } catch {
    return undefined;
  }
}
