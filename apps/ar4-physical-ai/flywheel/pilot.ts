import { type ArmView, EXECUTE, STATE_NAMES } from '../observation.ts';
import type { ArmWorld } from './world.ts';

/**
 * A policy as it is asked: the coming actions, [CHUNK, 7] row-major, for what is seen now. `prefix`, [n, 7]: the first n
 * of them are carried out whatever is answered; policies that take none leave it aside.
 */
export type Answer = (view: ArmView, prefix?: Float32Array) => Promise<Float32Array>;

/** What stands between a policy and the arm, in lockstep with the physics. */
export type Pilot = {
  /** A new episode of this policy: nothing of before is left. The world is at its start. */
  begin(answer: Answer): void;
  /** 50 ms of the world (one step of the policy) with the commands given in them. */
  step(): Promise<void>;
};

/**
 * Nothing between them: of each chunk the first `EXECUTE` actions are carried out as they are, each for 50 ms, then
 * the next is asked for. Inference takes no simulated time, so there is never a prefix. What System 1 and its gate do to a policy is measured
 * against this.
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
