import type { Clock, EdgeError, MotionResult, Timer } from '../../contract/core.ts';

export type Outcome = Pick<MotionResult, 'outcome' | 'message'>;

/** Where robot time comes from, and whether the robot still reports anything. */
export type RobotPulse = { readonly time: bigint; readonly connected: boolean };

/** How often robot time and odometry are looked at, milliseconds. */
const LOOK_MS = 50;

/**
 * What may end a motion from outside: its caller, its time, another motion, a robot that stopped responding. First
 * one counts.
 */
export class MotionEnds {
  readonly #ending = new AbortController();
  readonly #settling = Promise.withResolvers<void>();
  readonly #track: RobotPulse;
  readonly #clock: Clock;
  readonly #silence: string;
  readonly #asker: AbortSignal | undefined;
  readonly #begun: bigint;
  #looks: Timer;
  #outcome: Outcome = { outcome: 'stopped', message: '' };
  #fault: EdgeError | undefined;
  #watch: (() => void) | undefined;

  /** `timeoutMs` is robot time; `silence` says what stopped arriving when the robot is lost. */
  constructor(
    parts: { readonly clock: Clock; readonly track: RobotPulse; readonly silence: string },
    timeoutMs: number,
    asker: AbortSignal | undefined,
  ) {
    const { clock, track } = parts;
    this.#clock = clock;
    this.#track = track;
    this.#silence = parts.silence;
    this.#asker = asker;
    this.#begun = track.time;
    this.#looks = clock.every(LOOK_MS, () => {
      this.#watch?.();
      if (!track.connected) this.end('stuck', this.#silence);
      else if (this.#elapsedMs() >= timeoutMs) this.end('timeout', 'the motion timed out');
    });
    asker?.addEventListener('abort', this.#onAsker, { once: true });
  }

  readonly #onAsker = (): void => this.end('stopped', String(this.#asker?.reason ?? 'cancelled'));

  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  /** How it ended, where it was ended. */
  get outcome(): Outcome {
    return this.#outcome;
  }

  /** Why it can no longer be asked, where that ended it. */
  get fault(): EdgeError | undefined {
    return this.#fault;
  }

  /** Settles when the motion has. */
  get settled(): Promise<void> {
    return this.#settling.promise;
  }

  end(outcome: MotionResult['outcome'], message: string): void {
    if (this.#ending.signal.aborted) return;
    this.#outcome = { outcome, message };
    this.#ending.abort();
  }

  /** Ends it because who executes it is gone. */
  fail(error: EdgeError): void {
    if (this.#ending.signal.aborted) return;
    this.#fault = error;
    this.end('stuck', error.message);
  }

  /** Calls `look` at every look until the motion has settled. */
  watch(look: () => void): void {
    this.#watch = look;
  }

  /** `reached` after so much robot time, milliseconds. */
  afterRobotTime(ms: number): Promise<Outcome | { readonly ended: true }> {
    return new Promise((resolve) => {
      const settle = (end: Outcome | { readonly ended: true }) => {
        timer.cancel();
        resolve(end);
      };
      const timer = this.#clock.every(LOOK_MS, () => {
        if (this.#elapsedMs() >= ms) settle({ outcome: 'reached', message: '' });
      });
      this.signal.addEventListener('abort', () => settle({ ended: true }), { once: true });
    });
  }

  settle(): void {
    this.#looks.cancel();
    this.#asker?.removeEventListener('abort', this.#onAsker);
    this.#settling.resolve();
  }

  #elapsedMs(): number {
    return Number(this.#track.time - this.#begun) / 1e6;
  }
}
