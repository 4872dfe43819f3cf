import {
  type Clock,
  EdgeError,
  motionDeadlineMs,
  type Nanoseconds,
  type Timer,
} from '../../../contract/index.ts';

/** Between two looks at the time of the robot, milliseconds. */
const LOOK_MS = 250;

export type WatchParts = {
  readonly clock: Clock;
  /** Time of the robot now; undefined where it has none, then wall time counts. */
  readonly robotTime: () => Promise<Nanoseconds | undefined>;
};

/**
 * Ends a step when its time is over, by the clock of the robot: a simulation that runs at a quarter of real time has
 * four times the wall time, and never more. Where the robot has no time, wall time counts.
 */
export class StepWatch {
  readonly #abort = new AbortController();
  readonly #parts: WatchParts;
  readonly #deadlineMs: number;
  readonly #beganMs: number;
  #began: Nanoseconds | undefined;
  #asking = false;
  #timer: Timer | undefined;

  constructor(deadlineMs: number, parts: WatchParts) {
    this.#parts = parts;
    this.#deadlineMs = deadlineMs;
    this.#beganMs = parts.clock.monotonicMs();
    this.#timer = parts.clock.every(LOOK_MS, () => void this.#look());
    void this.#look();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  get late(): boolean {
    return this.#abort.signal.aborted;
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    if (this.#asking || this.late) return;
    this.#asking = true;
    const now = await this.#parts.robotTime().catch(() => undefined);
    this.#asking = false;
    if (!this.#timer) return;
    const wallMs = this.#parts.clock.monotonicMs() - this.#beganMs;
    this.#began ??= now;
    // A robot that restarted counts its time from zero.
    if (now !== undefined && this.#began !== undefined && now < this.#began) this.#began = now;
    const robotMs = now === undefined || this.#began === undefined ? wallMs : Number(now - this.#began) / 1e6;
    if (robotMs <= this.#deadlineMs && wallMs <= motionDeadlineMs(this.#deadlineMs)) return;
    this.close();
    this.#abort.abort(
      new EdgeError('deadline.exceeded', {
        operation: 'plan step',
        subject: 'step',
        message: `not done within ${this.#deadlineMs} ms of robot time`,
      }),
    );
  }
}
