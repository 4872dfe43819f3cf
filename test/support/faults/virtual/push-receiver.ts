import { type Clock, EdgeError, type PushOrder } from '../../../../contract/index.ts';
import type { Random } from '../../../../sim/random.ts';

/** The only origin to which the robot of a trial posts states of tasks. */
export const RECEIVER = 'https://agent.trial.invalid';

/** Another machine that takes the states of tasks, with what the robot keeps of it in a file: both outlive its processes. */
export class PushReceiver {
  kept: string | undefined;
  /** What is done where a state of this task comes. */
  heard: (task: string) => void = () => {};
  /** How it answers; undefined: as it should. */
  random: Random | undefined;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Stalls, answers late, lies about what it took, or hangs up. */
  async take({ body }: PushOrder): Promise<number> {
    const { task } = JSON.parse(body) as { readonly task?: { readonly id: string } };
    if (task) this.heard(task.id);
    const { random } = this;
    if (!random) return 200;
    return await random.pick<() => Promise<number>>([
      () => new Promise(() => {}),
      () => this.#later(1_000 + 11_000 * random.float(), 200),
      () => this.#later(200 * random.float(), random.pick([200, 202, 302, 404, 429, 500, 999])),
      () => Promise.reject(new EdgeError('link.unreachable', { operation: 'post', subject: RECEIVER })),
    ])();
  }

  #later(ms: number, status: number): Promise<number> {
    return new Promise((resolve) => void this.#clock.after(ms, () => resolve(status)));
  }
}
