import { type Clock, EdgeError, LIMITS } from '../../../contract/core.ts';

type Waiting = { readonly go: () => void };

/**
 * Places at one model, shared among runs: who waits is served by turns of the runs, within a run in order. One run
 * that asks much does not keep the others waiting.
 */
export class FairSlots {
  readonly #name: string;
  readonly #places: number;
  readonly #clock: Clock;
  /** Runs that wait, in the order of their turns. */
  readonly #queues = new Map<string, Waiting[]>();
  #taken = 0;
  #waiting = 0;

  constructor(name: string, places: number, clock: Clock) {
    this.#name = name;
    this.#places = places;
    this.#clock = clock;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** A place, and how to give it back; may be given back twice. `model.unavailable` when it is full or `ms` are over, `run.cancelled`. */
  async take(runId: string, ms: number, signal: AbortSignal | undefined): Promise<() => void> {
    if (signal?.aborted) throw this.#refusal('run.cancelled', 'the call was cancelled');
    if (this.#taken >= this.#places) await this.#wait(runId, ms, signal);
    else this.#taken += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#release();
    };
  }

  #wait(runId: string, ms: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting >= LIMITS.MODEL_QUEUE_MAX) {
      throw this.#refusal('model.unavailable', `${this.#waiting} calls wait for it already`);
    }
    return new Promise((resolve, reject) => {
      const leave = () => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiting -= 1;
      };
      const waiting: Waiting = {
        go: () => {
          leave();
          resolve();
        },
      };
      const giveUp = (error: EdgeError) => {
        this.#forget(runId, waiting);
        leave();
        reject(error);
      };
      const onAbort = () => giveUp(this.#refusal('run.cancelled', 'the call was cancelled'));
      const timer = this.#clock.after(ms, () =>
        giveUp(this.#refusal('model.unavailable', `no place at it within ${Math.round(ms)} ms`)),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      const queue = this.#queues.get(runId);
      if (queue) queue.push(waiting);
      else this.#queues.set(runId, [waiting]);
      this.#waiting += 1;
    });
  }

  #forget(runId: string, waiting: Waiting): void {
    const queue = this.#queues.get(runId) ?? [];
    const left = queue.filter((one) => one !== waiting);
    if (left.length === 0) this.#queues.delete(runId);
    else this.#queues.set(runId, left);
  }

  /** The place goes to the next run in turn; that run comes last then. */
  #release(): void {
    const [next] = this.#queues;
    if (next === undefined) {
      this.#taken -= 1;
      return;
    }
    const [runId, queue] = next;
    const first = queue.shift()!;
    this.#queues.delete(runId);
    if (queue.length > 0) this.#queues.set(runId, queue);
    first.go();
  }

  #refusal(code: 'model.unavailable' | 'run.cancelled', message: string): EdgeError {
    return new EdgeError(code, { operation: 'wait for a model', subject: this.#name, message });
  }
}
