import type { EdgeError } from '../edge-error.ts';
import { MOTION_FITS } from '../schema/motion-fits.ts';
import { schemaFault } from '../schema-fault.ts';
import { badGoal } from './bad-goal.ts';
import type { GoalOf, MotionKind } from './goals.ts';

/** Checks goals by code that was generated from their schemas; the schema library is not loaded. */
export function motionFits<K extends MotionKind>(kind: K, goal: unknown): goal is GoalOf<K> {
  return MOTION_FITS[kind](goal);
}

/** Why a goal does not fit. Reads the schemas as data: a few milliseconds. */
export async function motionRefusal(kind: MotionKind, goal: unknown): Promise<EdgeError> {
  const { MOTION_SCHEMAS } = await import('../schema/bodies-parts.ts');
  return badGoal(kind, schemaFault(MOTION_SCHEMAS[kind], goal));
}
