import type { ExecutionStatus, Robot, Sample, Twist2d, WorkCounter } from '../../contract/core.ts';
import type { TickResult } from './control/control-core.ts';

/**
 * What moves the robot in this cell: the control thread, or the robot's own navigation. It is started once and
 * is given every sample of the robot. `state` rejects while it is being restarted.
 */
export interface Drive extends Robot {
  readonly status: ExecutionStatus['control'];
  start(): void;
  offer(sample: Sample): void;
  work(): WorkCounter;
  /**
   * A person steers under that lease: m/s and rad/s in `base_link`; it counts for `LIMITS.COMMAND_EXPIRY_MS` from
   * `madeAtMs` on. False where it is not accepted now. Absent: this robot cannot be steered by hand from here.
   */
  steer?(twist: Twist2d, lease: number, madeAtMs: number): boolean;
  /** Only where simulated time waits for its controller. */
  tick?(time: bigint): Promise<TickResult>;
  /** Nothing is asked after it. The robot was stopped before, where it moved. */
  close(): void | Promise<void>;
}
