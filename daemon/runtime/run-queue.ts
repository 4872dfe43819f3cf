import { EdgeError, LIMITS, type Nanoseconds } from '../../contract/index.ts';

export type Waiting = {
  readonly runId: string;
  readonly app: string;
  readonly priority: number;
  /** Wall time after which it must not begin; undefined: never. */
  readonly expires: Nanoseconds | undefined;
};

/**
 * Runs that wait for a slot of their application: the most urgent first, then the oldest (run ids sort by
 * age). Full means refuse. One busy application never holds up another.
 */
export class RunQueue {
  #waiting: Waiting[] = [];
  readonly #max: number;

  constructor(max: number = LIMITS.RUN_QUEUE_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Throws `run.limit`; asked before anything is promised to the client. */
  reserve(pending: number): void {
    if (this.#waiting.length + pending < this.#max) return;
    throw new EdgeError('run.limit', {
      operation: 'submit',
      subject: 'runs',
      message: `${this.#waiting.length} runs are waiting, at most ${this.#max} may`,
      hint: 'cancel runs or wait for one to finish',
    });
  }

  /** Beyond the limit too: what the log has accepted is never turned away. */
  add(run: Waiting): void {
    this.#waiting.push(run);
    this.#waiting.sort((a, b) => b.priority - a.priority || (a.runId < b.runId ? -1 : 1));
  }

  remove(runId: string): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((run) => run.runId !== runId);
    return this.#waiting.length < before;
  }

  /** Takes the next run whose application has a free slot. */
  take(hasSlot: (app: string) => boolean): Waiting | undefined {
    const index = this.#waiting.findIndex((run) => hasSlot(run.app));
    return index < 0 ? undefined : this.#waiting.splice(index, 1)[0];
  }

  /** Takes out what waited too long. */
  takeExpired(now: Nanoseconds): readonly Waiting[] {
    const expired = this.#waiting.filter((run) => run.expires !== undefined && run.expires <= now);
    if (expired.length > 0) this.#waiting = this.#waiting.filter((run) => !expired.includes(run));
    return expired;
  }

  /** How many could begin now. */
  startable(hasSlot: (app: string) => boolean): number {
    return this.#waiting.filter((run) => hasSlot(run.app)).length;
  }
}
