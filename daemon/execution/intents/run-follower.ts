import {
  type CellBus,
  type Clock,
  LIMITS,
  type RunBrief,
  type Timer,
  TOPICS,
} from '../../../contract/core.ts';
import type { IntentDoor } from './intent-door.ts';

/** After news the runs are asked for at most this often, milliseconds. */
const NEWS_MS = 100;
/** And without news, milliseconds: a broadcast may be lost. */
const POLL_MS = 1_000;
const RUNS_MAX = 256;

type Watcher = {
  readonly runId: string;
  seen: string;
  readonly onChange: (run: RunBrief) => void;
  readonly onGone: () => void;
};

/**
 * Reports the progress of runs to their watchers. Asks the runtime once for all of them. Continues when it restarts.
 */
export class RunFollower {
  readonly #door: IntentDoor;
  readonly #clock: Clock;
  readonly #watchers = new Set<Watcher>();
  #timer: Timer | undefined;
  #asking = false;
  #news = false;

  constructor(door: IntentDoor, clock: Clock, bus: Pick<CellBus, 'onBroadcast'>) {
    this.#door = door;
    this.#clock = clock;
    bus.onBroadcast(TOPICS.logGrew, (_body, from) => {
      if (from !== 'runtime' || this.#watchers.size === 0 || this.#news) return;
      this.#news = true;
      this.#sleep(NEWS_MS);
    });
  }

  /**
   * `onChange` is called with each state that is seen and differs from the last; states in between may be missed.
   * `onGone` is called when the runtime no longer knows the run, because its log was lost.
   */
  watch(runId: string, onChange: (run: RunBrief) => void, onGone: () => void): { cancel(): void } {
    const watcher: Watcher = { runId, seen: '', onChange, onGone };
    this.#watchers.add(watcher);
    this.#sleep(0);
    return { cancel: () => void this.#watchers.delete(watcher) };
  }

  close(): void {
    this.#watchers.clear();
    this.#timer?.cancel();
  }

  #sleep(ms: number): void {
    if (this.#asking) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(ms, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#watchers.size === 0) return;
    this.#asking = true;
    this.#news = false;
    const runIds = [...new Set([...this.#watchers].map(({ runId }) => runId))];
    try {
      for (let i = 0; i < runIds.length; i += RUNS_MAX) {
        const part = runIds.slice(i, i + RUNS_MAX);
        const runs = await this.#door.briefs({ runIds: part }, LIMITS.CELL_REQUEST_MS);
        for (const run of runs) this.#tell(run);
        const known = new Set(runs.map(({ run_id }) => run_id));
        for (const watcher of [...this.#watchers])
          if (part.includes(watcher.runId) && !known.has(watcher.runId)) watcher.onGone();
      }
    } catch {
      // The runtime is away: what it knew is in its log, and it is asked again.
    }
    this.#asking = false;
    this.#sleep(this.#news ? NEWS_MS : POLL_MS);
  }

  #tell(run: RunBrief): void {
    const text = `${run.status} ${run.phase ?? ''} ${run.reason}`;
    for (const watcher of [...this.#watchers]) {
      if (watcher.runId !== run.run_id || watcher.seen === text) continue;
      watcher.seen = text;
      watcher.onChange(run);
    }
  }
}
