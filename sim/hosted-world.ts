import type { Nanoseconds, Sample } from '../contract/core.ts';

/** Report of the referee of a world. */
export type Referee = {
  /** The task is done: the exit of the maze is reached, the cube lies on its target. */
  readonly reachedExit: boolean;
  /** Bumper contacts since the start; 0 where there is no bumper. */
  readonly collisions: number;
  /** Fastest that the robot was when it touched a wall, metres per second. */
  readonly hardestCollision: number;
  readonly refusedCommands: number;
};

/** A world as the host process serves it: commands in, samples out, in windows of simulation time. No I/O. */
export type HostedWorld = {
  readonly windowNs: bigint;
  /** The end of the last window. */
  readonly time: Nanoseconds;
  readonly atRest: boolean;
  readonly referee: Referee;
  /**
   * A command for the next window: returns the reason of a refusal, or undefined. Throws `robot.not_supported` for
   * an unknown topic and `sample.malformed` for bytes that are no command.
   */
  obey(sample: Sample): string | undefined;
  /** The commanding client is gone. */
  brake(): void;
  /** Latched samples: the first that a new reader gets. */
  latched(): Sample[];
  /** One window of physics, then what the sensors say at its end. Throws `sim.failed`. */
  window(): Sample[];
  close(): void;
};
