import {
  type EdgeError,
  type LeaseRole,
  LIMITS,
  METHODS,
  pause,
  takenOverBy,
} from '../../../contract/index.ts';
import { askExecution, type ExecutionPort } from '../robot/ask-execution.ts';
import type { RunPause } from './run-pause.ts';

export type RunTakeoverParts = {
  readonly pause: Pick<RunPause, 'pause' | 'pass'>;
  readonly execution: ExecutionPort;
  /** True when a call of this attempt moves the robot, or has moved it. */
  readonly moved: () => boolean;
  /** The run is being ended. */
  readonly over: () => boolean;
};

/** Ranks that no motion of a run may end. */
const ABOVE_RUNS: ReadonlySet<LeaseRole> = new Set(['autonomy', 'central', 'teleoperation']);
/** Interval at which the robot is checked while it is being stopped, milliseconds, and the number of checks. */
const LOOK_MS = 100;
const LOOKS_MAX = 100;

/**
 * Pauses a run while a holder of a higher rank has the robot. A person has to resume it. A run that moves is paused at
 * once. A run that has not moved yet is paused before its first motion, so that a run without motions continues.
 */
export class RunTakeover {
  readonly #parts: RunTakeoverParts;
  /** Why the run pauses before its next motion. */
  #due: string | undefined;

  constructor(parts: RunTakeoverParts) {
    this.#parts = parts;
  }

  /** Settles when the pause, if there is one, is durable. */
  async taken(reason: string): Promise<void> {
    this.#due = reason;
    if (this.#parts.moved()) await this.beforeMotion();
  }

  /** Rejects where the pause could not be logged. It is tried again before the next motion. */
  async beforeMotion(): Promise<void> {
    const due = this.#due;
    if (due === undefined) return;
    await this.#parts.pause.pause(due);
    if (this.#due === due) this.#due = undefined;
  }

  /** See `CallScope.waitForRobot`. */
  async waitForRobot(refusal: EdgeError, signal: AbortSignal): Promise<void> {
    const { execution, pause: door, over } = this.#parts;
    const { leaseState } = METHODS.execution;
    for (let looks = 0; looks < LOOKS_MAX; looks++) {
      const view = await askExecution(execution, leaseState, {}, LIMITS.CELL_REQUEST_MS).catch(
        () => undefined,
      );
      signal.throwIfAborted();
      const { state, holder, role } = view ?? { state: 'held' };
      if (state === 'free') return;
      if (state === 'held') {
        if (over() || holder === undefined || role === undefined || !ABOVE_RUNS.has(role)) throw refusal;
        await door.pause(takenOverBy({ holder, role }));
        return await door.pass(signal);
      }
      await pause(execution.clock, LOOK_MS, signal);
    }
    throw refusal;
  }
}
