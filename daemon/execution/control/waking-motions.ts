import type { MotionResult } from '../../../contract/core.ts';

/** Motions that wait for their policy, in the order in which they were asked for. The robot stands for them. */
export class WakingMotions {
  readonly #begins = new Map<string, () => void>();

  get isEmpty(): boolean {
    return this.#begins.size === 0;
  }

  /** Settles as the motion does, once it was begun. */
  add(id: string, begin: () => Promise<MotionResult>): Promise<MotionResult> {
    return new Promise((resolve, reject) => {
      this.#begins.set(id, () => void begin().then(resolve, reject));
    });
  }

  /** One that is not there was begun before. */
  begin(id: string): void {
    const begin = this.#begins.get(id);
    this.#begins.delete(id);
    begin?.();
  }

  /** What ends motions finds them all begun, and ends them in the same turn: none of them moves the robot. */
  beginAll(): void {
    for (const id of [...this.#begins.keys()]) this.begin(id);
  }
}
