import {
  type Clock,
  type ControllerOrder,
  EdgeError,
  LIMITS,
  type MotionResult,
  NOT_CONFIRMED,
  RestWatch,
  type Timer,
} from '../../../contract/core.ts';

/** How often it is looked whether the robot stands, milliseconds. */
const LOOK_MS = 10;
/** A way to rest without a step for this long has ended, milliseconds. */
const SILENT_MS = 150;

/** One run of a controller. */
export type Run = {
  readonly number: number;
  readonly order: ControllerOrder;
  readonly lease: number;
  readonly ends: AbortController;
  readonly beganMs: number;
  /** Something of it went to the robot. */
  hasSent: boolean;
  /** It may no longer act; it is over when this is. */
  ending: RunEnding | undefined;
  /** Whether the robot was measured to stand after it. */
  readonly stood: PromiseWithResolvers<boolean>;
  settle(outcome: MotionResult['outcome'], message: string): void;
};

export type RunEndingDeps = {
  readonly clock: Clock;
  /** Of the controller, milliseconds: a slow one has steps farther apart. */
  readonly periodMs: number;
  /** The way to rest is over, or does not come: what can be said at once is said now. */
  halt(): void;
  /** Once: whether the robot was measured to stand. */
  done(confirmed: boolean): void;
};

/**
 * The end of a run, from the moment on in which it may no longer act: its thread brings what it commanded to rest
 * within the limits of the gate, and it is over when the robot is measured to stand, or after `LIMITS.STILL_WAIT_MS`.
 */
export class RunEnding {
  readonly #deps: RunEndingDeps;
  readonly #rest = new RestWatch();
  readonly #beganMs: number;
  readonly #looks: Timer;
  #stepMs: number;
  #isHalted = false;
  #isOver = false;

  constructor(deps: RunEndingDeps) {
    this.#deps = deps;
    this.#beganMs = deps.clock.monotonicMs();
    this.#stepMs = this.#beganMs;
    this.#looks = deps.clock.every(LOOK_MS, () => this.#look());
  }

  /** Joints, or the place of the base, and how fast they move where that is measured. */
  observe(values: ArrayLike<number>, speeds: readonly number[]): void {
    this.#rest.observe(values, this.#deps.clock.monotonicMs(), speeds);
  }

  /** A step of the way to rest came. */
  stepped(): void {
    this.#stepMs = this.#deps.clock.monotonicMs();
  }

  /** No more of them come. */
  halt(): void {
    if (this.#isHalted || this.#isOver) return;
    this.#isHalted = true;
    this.#deps.halt();
    this.#rest.begin();
  }

  finish(confirmed: boolean): void {
    if (this.#isOver) return;
    this.halt();
    this.#isOver = true;
    this.#looks.cancel();
    this.#deps.done(confirmed);
  }

  #look(): void {
    const { clock, periodMs } = this.#deps;
    const now = clock.monotonicMs();
    if (now - this.#stepMs > SILENT_MS + 2 * periodMs) this.halt();
    if (this.#isHalted && this.#rest.rests) this.finish(true);
    else if (now - this.#beganMs >= LIMITS.STILL_WAIT_MS) this.finish(false);
  }
}

/** Answers who stopped it. */
export function notConfirmed(name: string): EdgeError {
  const message = `${name}: ${NOT_CONFIRMED} within ${LIMITS.STILL_WAIT_MS} ms`;
  const hint = 'check the robot itself; its joint states or odometry must report zero speed';
  return new EdgeError('robot.unreachable', { operation: 'stop', subject: name, message, hint });
}
