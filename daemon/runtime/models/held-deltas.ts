import type { ModelDelta } from '../../../contract/core.ts';

/**
 * What a model says, on its way to the listener of its caller. It is held back, in order, until the log has the
 * question; where the log refuses the question it is dropped. A model bounds its answer, and so what is held.
 */
export class HeldDeltas {
  readonly #tell: (delta: ModelDelta) => void;
  #held: ModelDelta[] | undefined = [];

  /** What `tell` throws is thrown by `open`, and by `take` once it is open. */
  constructor(tell: (delta: ModelDelta) => void) {
    this.#tell = tell;
  }

  take(delta: ModelDelta): void {
    if (this.#held) this.#held.push(delta);
    else this.#tell(delta);
  }

  /** The log has the question: what was held is passed on, and all that follows at once. */
  open(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const delta of held) this.#tell(delta);
  }
}
