import type { Twist2d } from '../../../contract/index.ts';
import type { ControlClient } from './control-client.ts';

/**
 * Paces a lockstep simulation by the control loop: for each window one control step, its command, and while
 * nothing moves the simulation's time stands still. `onTick` is the tick listener of the simulation.
 */
export class Lockstep {
  readonly #control: ControlClient;
  readonly #send: (command: Twist2d) => void;
  #resume: (() => void) | undefined;
  #free = false;

  /** `send` hands a command to the robot; it must not throw. */
  constructor(control: ControlClient, send: (command: Twist2d) => void) {
    this.#control = control;
    this.#send = send;
  }

  /** True while the simulation waits for a motion. */
  get holding(): boolean {
    return this.#resume !== undefined;
  }

  /**
   * Settles when the world may go on. A control thread that is being restarted does not stop time: the robot
   * brakes by its own watchdog meanwhile.
   */
  async onTick(time: bigint): Promise<void> {
    this.#free = false;
    try {
      const result = await this.#control.tick(time);
      if (result.command) this.#send(result.command);
      // A wake-up may have come in between the answer and this line.
      if (result.hold && !this.#free) await new Promise<void>((resume) => (this.#resume = resume));
    } catch {
      this.#send({ linear: 0, angular: 0 });
    }
  }

  /** For `onWake` of the client, and when the simulation went away or comes back. */
  wake(): void {
    this.#free = true;
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }
}
