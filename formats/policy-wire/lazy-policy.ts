import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  type Observation,
  type Policy,
  type PolicyDescription,
  withDeadline,
} from '../../contract/core.ts';

/**
 * A policy that is loaded when it is first asked: an unused queryable costs no memory. The
 * description is known before. A load that failed is tried again at the next question.
 */
export class LazyPolicy implements Policy {
  readonly #description: PolicyDescription;
  readonly #clock: Clock;
  readonly #load: () => Promise<Policy>;
  #policy: Promise<Policy> | undefined;
  #closed = false;

  constructor(description: PolicyDescription, clock: Clock, load: () => Promise<Policy>) {
    this.#clock = clock;
    this.#description = description;
    this.#load = load;
  }

  describe(): PolicyDescription {
    return this.#description;
  }

  async infer(observation: Observation, deadlineMs: number, options?: InferOptions): Promise<ActionChunk> {
    if (this.#closed) throw this.#over();
    if (!this.#policy) {
      const loading = this.#load();
      this.#policy = loading;
      loading.catch(() => {
        if (this.#policy === loading) this.#policy = undefined;
      });
    }
    const begin = this.#clock.monotonicMs();
    const policy = await withDeadline(this.#clock, deadlineMs, this.#policy, 'infer', this.#description.name);
    const left = Math.max(0, deadlineMs - (this.#clock.monotonicMs() - begin));
    return policy.infer(observation, left, options);
  }

  #over(): EdgeError {
    const { name } = this.#description;
    return new EdgeError('model.unavailable', {
      operation: 'infer',
      subject: name,
      message: `${name}: closed`,
      retryable: false,
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    const policy = this.#policy;
    this.#policy = undefined;
    await policy?.then(
      (loaded) => loaded.close(),
      () => {},
    );
  }
}
