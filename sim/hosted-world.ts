import type { Nanoseconds, Sample } from '../contract/core.ts';

/** What the referee of a world saw. */
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
   * A command for the next window: why it was refused, undefined when it was taken. Throws `robot.not_supported` for
   * another topic than it obeys and `sample.malformed` for bytes that are no command.
   */
  obey(sample: Sample): string | undefined;
  /** The one who commands is gone. */
  brake(): void;
  /** What a reader has to know first, whenever it comes. */
  latched(): Sample[];
  /** One window of physics, then what the sensors say at its end. Throws `sim.failed`. */
  window(): Sample[];
  close(): void;
};
