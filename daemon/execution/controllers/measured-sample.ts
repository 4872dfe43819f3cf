import type { Sample } from '../../../contract/core.ts';
import {
  decodeJointState,
  decodeOdometry,
  JOINT_STATE,
  ODOMETRY,
  yawOf,
} from '../../../formats/cdr/index.ts';

/** Positions and efforts of these joints, in this order; undefined: the message does not say where all of them are. */
export function jointsOf(
  { type, bytes }: Sample,
  names: readonly string[],
): { readonly positions: readonly number[]; readonly efforts: readonly number[] } | undefined {
  if (type !== JOINT_STATE) return undefined;
  try {
    const state = decodeJointState(bytes);
    const at = names.map((name) => state.name.indexOf(name));
    const positions = at.map((i) => state.position[i] ?? Number.NaN);
    // A message of other joints, or of a part of them, says nothing of where these are.
    if (!positions.every(Number.isFinite)) return undefined;
    return { positions, efforts: at.map((i) => state.effort[i] ?? Number.NaN) };
  } catch {
    // Unreadable joints are joints that did not come: they get too old, and that is declared.
    return undefined;
  }
}

/** Where a base is by its odometry: x, y, yaw. */
export function placeOf({ type, bytes }: Sample): readonly number[] | undefined {
  if (type !== ODOMETRY) return undefined;
  try {
    const { position, orientation } = decodeOdometry(bytes).pose.pose;
    return [position.x, position.y, yawOf(orientation)];
  } catch {
    return undefined;
  }
}
