import type { MotionResult } from '../../../contract/core.ts';

/** Motions that wait for their policy, in the order in which they were asked for. The robot stands for them. */
export class WakingMotions {
  readonly #starts = new Map<string, () => void>();

  get isEmpty(): boolean {
    return this.#starts.size === 0;
  }

  /** Settles as the motion does, once it was started. */
  add(id: string, start: () => Promise<MotionResult>): Promise<MotionResult> {
    return new Promise((resolve, reject) => {
      this.#starts.set(id, () => void start().then(resolve, reject));
    });
  }

  /** One that is not there was started before. */
  start(id: string): void {
    const start = this.#starts.get(id);
    this.#starts.delete(id);
    start?.();
  }

  /** What ends motions finds them all started, and ends them in the same turn: none of them moves the robot. */
  startAll(): void {
    for (const id of [...this.#starts.keys()]) this.start(id);
  }
}
