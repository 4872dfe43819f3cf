import type { Clock, NewEvent } from '../../../contract/index.ts';
import { PauseGate } from './pause-gate.ts';

export type RunPauseParts = {
  readonly runId: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** The log says that the run is paused. */
  readonly paused: boolean;
  /** True when the run is being ended, which is too late for a pause. */
  readonly over: () => boolean;
  /** Tries to stop the robot. Always resolves: false where it was not confirmed that the robot stands. */
  readonly stopRobot: () => Promise<boolean>;
  /** True while calls are running. */
  readonly busy: () => boolean;
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
};

/** The pauses of one run, one after the other. The gate shuts first, then the robot stops, then the pause is logged. */
export class RunPause {
  readonly #parts: RunPauseParts;
  readonly #gate: PauseGate;
  #paused: boolean;
  #turns: Promise<void> = Promise.resolve();

  constructor(parts: RunPauseParts) {
    this.#parts = parts;
    this.#gate = new PauseGate(parts.clock);
    this.#paused = parts.paused;
    if (this.#paused) this.#gate.close();
  }

  /** Rejects when the pause could not be logged. The run then continues. */
  pause(reason: string, by?: string): Promise<void> {
    this.#gate.close();
    return this.#inTurn(async () => {
      if (this.#paused || this.#parts.over()) return;
      this.#gate.close();
      try {
        const confirmed = await this.#parts.stopRobot();
        // The run may have ended meanwhile. The pause would then be logged before that end.
        if (this.#parts.over()) return;
        await this.#parts.append([this.event('paused', 'running', reason, by, confirmed)]);
        this.#paused = true;
        // A motion that passed just before the gate shut may have started after the stop.
        if (this.#parts.busy()) await this.#parts.stopRobot();
      } finally {
        if (!this.#paused) this.#gate.open();
      }
    });
  }

  proceed(reason: string, by?: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#paused || this.#parts.over()) return;
      await this.#parts.append([this.event('running', 'paused', reason, by)]);
      this.#paused = false;
      this.#gate.open();
    });
  }

  get shut(): boolean {
    return this.#gate.shut;
  }

  /** True from the order to pause until the robot stands and the pause is durable. */
  get pending(): boolean {
    return this.shut && !this.#paused;
  }

  /** Settles when no pause is pending. */
  async settled(): Promise<void> {
    await this.#turns;
  }

  /** How long the run was paused so far, milliseconds. */
  get pausedMs(): number {
    return this.#gate.shutMs;
  }

  /** Resolves when the run is not paused; rejects with the reason of the signal. */
  pass(signal: AbortSignal): Promise<void> {
    return this.#gate.pass(signal);
  }

  event(
    status: 'paused' | 'running',
    previous: 'paused' | 'running',
    reason: string,
    by?: string,
    confirmed = true,
  ): NewEvent {
    const payload = {
      ...{ status, previous, reason: reason.slice(0, 512) },
      ...(by === undefined ? {} : { by }),
      ...(confirmed ? {} : { stop_confirmed: false as const }),
    };
    return { kind: 'run.status', run_id: this.#parts.runId, payload };
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turns.then(work);
    this.#turns = turn.catch(() => {});
    return turn;
  }
}
