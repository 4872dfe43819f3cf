/**
 * Observations and actions of the policy of this application, by their names in datasets, model cards
 * and controllers. Metres and radians in `base_link`.
 */
export const STATE_NAMES = [
  'joint_1',
  'joint_2',
  'joint_3',
  'joint_4',
  'joint_5',
  'joint_6',
  'gripper',
] as const;

/** The heading of a cube counts by quarter turns, so it is given as sine and cosine of four times the angle. */
export const ENVIRONMENT_NAMES = [
  'cube_x',
  'cube_y',
  'cube_z',
  'cube_sin4',
  'cube_cos4',
  'target_x',
  'target_y',
  'target_z',
] as const;

export const FEATURES = {
  state: 'observation.state',
  environment: 'observation.environment_state',
  action: 'action',
} as const;

/**
 * Where each demonstration started: radians and, for the opening between the fingers, metres. From any other start the
 * policy passes states that it has never seen.
 */
export const START = {
  joints: { joint_1: 0, joint_2: 0.15, joint_3: 0.1, joint_4: 0, joint_5: 1.3208, joint_6: 0 },
  opening_m: 0.07,
} as const;

/** Frames of a dataset and steps of a policy, per second. */
export const HZ = 20;
/** Actions of one answer, and the number that is carried out before the next answer. */
export const CHUNK = 16;
export const EXECUTE = 8;

export type ArmView = {
  /** Six angles and the opening of the gripper. */
  readonly state: readonly number[];
  /** As `ENVIRONMENT_NAMES`. */
  readonly environment: readonly number[];
};

/** Heading of the cube within a quarter turn, radians from -pi/4 to pi/4. */
export function cubeYaw({ environment }: ArmView): number {
  return Math.atan2(environment[3]!, environment[4]!) / 4;
}
