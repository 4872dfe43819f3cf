import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type ErrorBody,
  type InferOptions,
  type Observation,
  type Policy,
  type PolicyDescription,
  withDeadline,
} from '../../../contract/core.ts';

/** A load that has not ended by then hangs: the stand-in drives, milliseconds. */
const LOAD_MS = 30_000;

export type RestingParts = {
  readonly clock: Clock;
  /** Of the policy that `load` gives. */
  readonly description: PolicyDescription;
  load(): Promise<Policy>;
  /** Drives where the policy cannot be loaded. */
  readonly standIn: Policy;
};

/**
 * A policy that is loaded for a motion and let go of when the robot has rested: a network and its runtime take 40 MB and a
 * thread. Where it cannot be loaded the stand-in drives, and `fault` says why; the next motion after a rest tries again.
 */
export class RestingPolicy implements Policy {
  readonly #parts: RestingParts;
  #loaded: Policy | undefined;
  #loading: Promise<void> | undefined;
  #fault: ErrorBody | undefined;
  #closed = false;

  constructor(parts: RestingParts) {
    this.#parts = parts;
  }

  get isAwake(): boolean {
    return this.#loaded !== undefined;
  }

  /** Why the stand-in drives. */
  get fault(): ErrorBody | undefined {
    return this.#fault;
  }

  describe(): PolicyDescription {
    return this.#loaded?.describe() ?? this.#parts.description;
  }

  /** Never rejects. */
  wake(): Promise<void> {
    if (this.#loaded || this.#closed) return Promise.resolve();
    this.#loading ??= this.#load().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  /** Lets go of it; it was not asked for anything that is still open. */
  rest(): void {
    const loaded = this.#loaded;
    this.#loaded = undefined;
    if (loaded && loaded !== this.#parts.standIn) void loaded.close().catch(() => {});
  }

  async infer(observation: Observation, deadlineMs: number, options?: InferOptions): Promise<ActionChunk> {
    if (this.#loaded) return this.#loaded.infer(observation, deadlineMs, options);
    const { clock, description } = this.#parts;
    const start = clock.monotonicMs();
    await withDeadline(clock, deadlineMs, this.wake(), 'infer', description.name);
    const loaded = this.#loaded as Policy | undefined;
    if (!loaded) throw over(description.name);
    return loaded.infer(observation, Math.max(0, deadlineMs - (clock.monotonicMs() - start)), options);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#loading;
    const loaded = this.#loaded;
    this.#loaded = undefined;
    await loaded?.close();
  }

  async #load(): Promise<void> {
    const { clock, load, standIn, description } = this.#parts;
    let isLate = false;
    const loading = load().then((policy) => {
      if (isLate) void policy.close().catch(() => {});
      return policy;
    });
    try {
      this.#loaded = await withDeadline(clock, LOAD_MS, loading, 'load policy', description.name);
      this.#fault = undefined;
    } catch (thrown) {
      isLate = true;
      this.#loaded = standIn;
      this.#fault = EdgeError.from(thrown, 'model.unavailable', 'load policy', description.name).toBody();
    }
  }
}

function over(name: string): EdgeError {
  return new EdgeError('model.unavailable', {
    ...{ operation: 'infer', subject: name, message: `${name}: closed`, retryable: false },
  });
}
