import {
  type Clock,
  EdgeError,
  type ErrorBody,
  LIMITS,
  type Timer,
  withDeadline,
} from '../../../contract/core.ts';

/** Repairing what a former life left takes long on a slow disk, and reports its progress. */
const READY_MS = 60_000;

type Ask = {
  resolve(result: unknown): void;
  reject(error: Error): void;
  readonly timer: Timer;
  readonly over: Promise<unknown>;
};

/**
 * What the recorder thread was asked and has not answered. An ask fails when the thread makes no progress for
 * LIMITS.RECORDER_STALLED_MS, however long it takes altogether.
 */
export class ThreadAsks {
  readonly #clock: Clock;
  readonly #asks = new Map<number, Ask>();
  #nextId = 1;
  #progressMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Rejects with `deadline.exceeded`, what the thread refused it with, or `recorder.failed` when it died. */
  ask<T>(operation: string, subject: string, post: (id: number) => void): Promise<T> {
    const id = this.#nextId++;
    this.progress();
    const { promise: answer, resolve, reject } = Promise.withResolvers<T>();
    const fail = () => {
      const message = `no progress within ${LIMITS.RECORDER_STALLED_MS} ms`;
      this.refuse(id, new EdgeError('deadline.exceeded', { operation, subject, message }));
    };
    const timer = this.#watch(id, fail);
    const over = answer.then(
      () => {},
      () => {},
    );
    this.#asks.set(id, { resolve: resolve as Ask['resolve'], reject, timer, over });
    post(id);
    return answer;
  }

  #watch(id: number, fail: () => void): Timer {
    return this.#clock.every(LIMITS.RECORDER_STALLED_MS / 4, () => {
      if (!this.#asks.has(id)) return;
      if (this.#clock.monotonicMs() - this.#progressMs >= LIMITS.RECORDER_STALLED_MS) fail();
    });
  }

  /** Ends a thread that is not ready in time: work that is late must not start later. Its end is reported. */
  async ready(thread: { terminate(): Promise<unknown> }, ready: Promise<void>): Promise<void> {
    try {
      await this.within(READY_MS, ready, 'start', 'recorder');
    } catch (error) {
      void thread.terminate();
      throw error;
    }
  }

  /** As `withDeadline`, but each progress restarts the time. */
  async within<T>(ms: number, work: Promise<T>, operation: string, subject: string): Promise<T> {
    this.progress();
    for (;;) {
      const heardMs = this.#progressMs;
      const leftMs = heardMs + ms - this.#clock.monotonicMs();
      try {
        return await withDeadline(this.#clock, leftMs, work, operation, subject);
      } catch (error) {
        if (this.#progressMs === heardMs) throw error;
      }
    }
  }

  /** Everything that was asked for has been answered or has failed, also what was asked meanwhile. */
  async idle(): Promise<void> {
    while (this.#asks.size > 0) await Promise.all([...this.#asks.values()].map(({ over }) => over));
  }

  /** A requested operation makes progress. */
  progress(): void {
    this.#progressMs = this.#clock.monotonicMs();
  }

  answer(id: number, result: unknown): void {
    this.#take(id)?.resolve(result);
  }

  refuse(id: number, error: Error | ErrorBody): void {
    this.#take(id)?.reject(error instanceof Error ? error : EdgeError.fromBody(error));
  }

  /** The thread is gone: nothing will be answered. */
  refuseAll(error: Error): void {
    for (const id of [...this.#asks.keys()]) this.refuse(id, error);
  }

  #take(id: number): Ask | undefined {
    const ask = this.#asks.get(id);
    this.#asks.delete(id);
    ask?.timer.cancel();
    return ask;
  }
}
