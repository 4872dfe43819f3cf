import type { CellName, MotionResult } from '../../../contract/core.ts';
import type { Actuation } from '../actuation.ts';

/** The actuation lease for something that runs on its own: a goal of the robot's own nodes, a play of commands. */
export type LeaseHold = {
  readonly lease: number;
  /** Aborts when the lease is lost, or the robot is stopped. */
  readonly signal: AbortSignal;
  /** May be called twice. */
  release(): void;
};

const DONE: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 0, time: 0n, message: '' },
};

/**
 * Takes the lease as a motion of runs and of the API does, for as long as it is held. Rejects as `Actuation.move`:
 * `robot.preempted`, `lease.held`, `estop.engaged`, `cell.unavailable`.
 */
export function holdLease(
  actuation: Pick<Actuation, 'move'>,
  motionId: string,
  from: CellName,
  holder: string,
  wantedAtMs?: number,
): Promise<LeaseHold> {
  return new Promise((resolve, reject) => {
    const start = (signal: AbortSignal, lease: number) =>
      new Promise<MotionResult>((end) => {
        const release = () => end(DONE);
        signal.addEventListener('abort', release, { once: true });
        if (signal.aborted) release();
        resolve({ lease, signal, release });
      });
    actuation.move(motionId, from, start, { wantedAtMs }, { role: 'agent', holder }).catch(reject);
  });
}
