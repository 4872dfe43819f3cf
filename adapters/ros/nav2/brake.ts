import type { Clock, Timer, Twist2d } from '../../../contract/core.ts';

const STILL: Twist2d = { linear: 0, angular: 0 };
/** Between two stops that are sent, milliseconds. */
const STOP_EVERY_MS = 50;
/** One stop may get lost, and a base needs one to hear: so many at least. */
const STOPS_MIN = 3;
/** A base that is not at rest by then is reported as moving, milliseconds; below LIMITS.ROBOT_STOP_MS. */
const REST_BY_MS = 800;
/** A base that still moves gets zero velocity for this long, milliseconds. */
const BRAKE_MS_MAX = 10_000;

export type BrakeParts = {
  readonly clock: Clock;
  /** Sends a velocity; false when nobody takes it. */
  send(twist: Twist2d): boolean;
  /** Odometry that came after that time shows no motion. */
  stillSince(sinceMs: number): boolean;
  /** Odometry arrives. */
  connected(): boolean;
};

/** How a stop ended: at rest by odometry; stop sent, without odometry to confirm it; or still moving. */
export type Rest = 'at_rest' | 'unseen' | 'moving';

/** Brings a base to rest by zero velocity, and says whether its odometry agrees. */
export class Brake {
  readonly #parts: BrakeParts;
  #engaged: { readonly rest: Promise<Rest>; release(): void } | undefined;

  constructor(parts: BrakeParts) {
    this.#parts = parts;
  }

  /** The first stop is sent before this returns. Engaging again while it brakes is the same braking. */
  engage(): Promise<Rest> {
    this.#engaged ??= this.#brake();
    return this.#engaged.rest;
  }

  /** The base may move again. */
  release(): void {
    this.#engaged?.release();
    this.#engaged = undefined;
  }

  #brake(): { rest: Promise<Rest>; release(): void } {
    const { clock, send, stillSince, connected } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<Rest>();
    const sinceMs = clock.monotonicMs();
    let timer: Timer | undefined;
    let [sent, taken] = [0, 0];
    const release = () => {
      timer?.cancel();
      resolve('moving');
      if (this.#engaged === braking) this.#engaged = undefined;
    };
    const look = () => {
      const elapsedMs = clock.monotonicMs() - sinceMs;
      if (sent >= STOPS_MIN && stillSince(sinceMs)) {
        resolve('at_rest');
        return release();
      }
      sent++;
      if (send(STILL)) taken++;
      if (elapsedMs >= REST_BY_MS) resolve(taken >= STOPS_MIN && !connected() ? 'unseen' : 'moving');
      if (elapsedMs >= BRAKE_MS_MAX) release();
    };
    const braking = { rest: promise, release };
    timer = clock.every(STOP_EVERY_MS, look);
    look();
    return braking;
  }
}
