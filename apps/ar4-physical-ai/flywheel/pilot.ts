import { type ArmView, EXECUTE, STATE_NAMES } from '../observation.ts';
import type { ArmWorld } from './world.ts';

/**
 * A policy as a function: the coming actions, [CHUNK, 7] row-major, for the present observation. `prefix`, [n, 7]: the
 * first n actions, which will be carried out in any case; policies without a prefix ignore it.
 */
export type Answer = (view: ArmView, prefix?: Float32Array) => Promise<Float32Array>;

/** The layer between a policy and the arm, in lockstep with the physics. */
export type Pilot = {
  /** Starts a new episode of this policy without memory of the last one. The world is at its start. */
  begin(answer: Answer): void;
  /** 50 ms of the world (one step of the policy) with the commands given in them. */
  step(): Promise<void>;
};

/**
 * No layer: of each chunk the first `EXECUTE` actions are carried out as they are, each for 50 ms, then the next is
 * asked for. Inference takes no simulated time, so there is never a prefix. What System 1 and its gate do to a policy
 * is measured against this.
 */
export class DirectPilot implements Pilot {
  readonly #world: ArmWorld;
  #answer: Answer | undefined;
  #chunk: Float32Array | undefined;
  #at = 0;

  constructor(world: ArmWorld) {
    this.#world = world;
  }

  begin(answer: Answer): void {
    this.#answer = answer;
    this.#chunk = undefined;
  }

  async step(): Promise<void> {
    if (!this.#answer) return;
    if (!this.#chunk || this.#at === EXECUTE) {
      this.#chunk = await this.#answer(this.#world.view());
      this.#at = 0;
    }
    const width = STATE_NAMES.length;
    this.#world.command(this.#chunk.subarray(this.#at * width, (this.#at + 1) * width));
    this.#at++;
    this.#world.step();
  }
}
