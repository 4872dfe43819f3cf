import type { ArmView } from '../observation.ts';

/**
 * The arm at its table, for training and evaluation: control steps of 50 ms, nothing
 * else. A start is a seed.
 */
export type ArmWorld = {
  /** A new episode from this start, the arm at rest at home. */
  reset(seed: number): void;
  view(): ArmView;
  /** Six angles and the opening; refused ones are counted there and hold the arm. */
  command(action: ArrayLike<number>): void;
  /** One control step of physics. */
  step(): void;
  /** The task is done. */
  success(): boolean;
};
