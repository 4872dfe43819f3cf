import type { RunParts } from '../attempt/run-parts.ts';
import { MotionTurns } from '../robot/motion-turns.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { RunView } from '../runs/run-view.ts';

/** How what runs in the branches of flows takes turns with the robot. */
export class BranchTurns {
  readonly #store: Pick<RunStore, 'ancestors' | 'get'>;
  readonly #turns = new MotionTurns();

  constructor(store: Pick<RunStore, 'ancestors' | 'get'>) {
    this.#store = store;
  }

  /** Undefined where nothing runs beside this run. */
  of(view: RunView): RunParts['motionTurn'] {
    const line = [view, ...this.#store.ancestors(view).flatMap((id) => this.#store.get(id) ?? [])];
    const levels = line.flatMap(({ branch, state: { run_id, parent_run_id } }) =>
      branch && parent_run_id !== undefined ? { group: parent_run_id, branch: run_id } : [],
    );
    // The outermost first, so that two runs never hold what the other waits for.
    return levels.length === 0 ? undefined : (signal) => this.#turns.take(levels.toReversed(), signal);
  }
}
