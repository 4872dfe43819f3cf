import { type Clock, pause } from '../../contract/core.ts';
import type { ControlClient } from './control/control-client.ts';

/** A simulation whose time waits for its controller. */
export type LockstepWorld = { onTick(listener: (time: bigint) => Promise<void>): void };

/** The recorder may fall this far behind before simulated time waits for it, bytes. */
const BACKLOG_BYTES_MAX = 64 * 1024 * 1024;
const BACKLOG_LOOK_MS = 5;

/**
 * Ties simulated time to the control loop: after each window one control step; the next window starts when
 * the step is done, the recorder keeps up, and somebody wants the robot to move. A robot that stands and is
 * asked nothing holds its time, so that the seed alone decides a run.
 */
export class LockstepLink {
  readonly #clock: Clock;
  readonly #world: LockstepWorld;
  #resume: (() => void) | undefined;
  /** Somebody wanted the robot to move since the last step was asked for. */
  #woken = false;
  #closed = false;

  constructor(clock: Clock, world: LockstepWorld) {
    this.#clock = clock;
    this.#world = world;
  }

  attach(control: Pick<ControlClient, 'tick'>, backlogBytes: () => number): void {
    this.#world.onTick(async (time) => {
      // The control loop is gone: the world takes its last steps alone.
      if (this.#closed) return;
      this.#woken = false;
      const { hold } = await control.tick(time);
      while (backlogBytes() > BACKLOG_BYTES_MAX && !this.#closed) await pause(this.#clock, BACKLOG_LOOK_MS);
      if (hold && !this.#woken && !this.#closed) await this.#untilWoken();
    });
  }

  /** The robot is wanted, or its world has changed: no caller may stay waiting for it. */
  wake(): void {
    this.#woken = true;
    this.#resume?.();
    this.#resume = undefined;
  }

  close(): void {
    this.#closed = true;
    this.wake();
  }

  #untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}

export type Lockstep = Pick<LockstepLink, 'attach' | 'wake' | 'close'>;
