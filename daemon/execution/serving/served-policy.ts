import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  LIMITS,
  type Observation,
  type Policy,
  type PolicyCaller,
  type PolicyDescription,
  type ServedPolicy,
} from '../../../contract/core.ts';
import { Latencies } from './latencies.ts';
import { type Place, PolicyInstances, type PolicySpec } from './policy-instances.ts';
import { Turns } from './turns.ts';

export type { Place, PolicySpec } from './policy-instances.ts';

type Job = {
  readonly caller: string;
  readonly first: boolean;
  readonly place: Place;
  readonly until: number;
  /** An instance is being made for it. */
  preparing: boolean;
  /** What is done when its turn comes; undefined once it was settled by other means. */
  work: ((policy: Policy, leftMs: number) => Promise<unknown>) | undefined;
  settle: (result: unknown, error: Error | undefined) => void;
};

/**
 * A policy settles by the deadline it is given; one that has not settled this long after it counts as unresponsive,
 * milliseconds.
 */
const GRACE_MS = 250;
/** A new episode starts by then, milliseconds. */
const RESET_MS = 5_000;

/**
 * One policy and its callers. One question at a time: the control loop's first, then the callers in turns. Who
 * needs an instance that has to be made has no turn before. What is late before it starts is never computed; an
 * unresponsive policy is abandoned and recreated.
 */
export class ServedPolicyQueue {
  readonly #clock: Clock;
  readonly #turns = new Turns<Job>();
  readonly #instances: PolicyInstances;
  readonly #places = new Set<Place>();
  readonly #latencies = new Latencies();
  #spec: PolicySpec;
  #wanted: PolicySpec;
  #running: Job | undefined;
  #calls = 0;
  #failures = 0;
  #closed = false;

  constructor(spec: PolicySpec, clock: Clock) {
    this.#spec = spec;
    this.#wanted = spec;
    this.#clock = clock;
    this.#instances = new PolicyInstances(spec, clock);
  }

  /** What it is, or is to become. */
  get wanted(): PolicySpec {
    return this.#wanted;
  }

  /** Throws `model.unavailable` while its description is unknown, and to a place that is closed. */
  describe(place: Place): PolicyDescription {
    if (place.closed || this.#closed) throw this.#gone();
    return this.#instances.describe();
  }

  /** Counts swaps. */
  get generation(): number {
    return this.#instances.generation;
  }

  /** Makes the policy, so that its description is known. Never rejects. */
  async warm(): Promise<void> {
    await this.#instances.shared().catch(() => {});
  }

  view(): ServedPolicy {
    const { description, state, reason } = this.#instances.view();
    return {
      ...description,
      kind: this.#spec.kind,
      state,
      reason,
      sessions: this.#places.size,
      waiting: this.#turns.size,
      calls: this.#calls,
      failures: this.#failures,
      p50Ms: this.#latencies.quantile(0.5),
      p99Ms: this.#latencies.quantile(0.99),
    };
  }

  /** Throws `cell.overloaded`. */
  enter(caller: PolicyCaller): Place {
    const { sessionsMax, name } = this.#spec;
    // The robot's own loop always finds a place, and takes none from others.
    const taken = [...this.#places].filter((place) => place.caller.wire !== 'control').length;
    if (taken >= sessionsMax && caller.wire !== 'control') {
      throw new EdgeError('cell.overloaded', {
        operation: 'open session',
        subject: name,
        message: `this policy already has ${sessionsMax} open sessions`,
        hint: 'close one, or raise policies.sessions',
      });
    }
    const place: Place = { caller, closed: false };
    this.#places.add(place);
    return place;
  }

  leave(place: Place): void {
    place.closed = true;
    this.#places.delete(place);
    for (const job of [...this.#turns.all()]) {
      if (job.place === place && this.#turns.remove(job)) job.settle(undefined, this.#gone());
    }
    if (this.#running?.place === place) this.#running.settle(undefined, this.#gone());
    this.#instances.forget(place);
    if (!this.#running) this.#instances.done();
  }

  infer(
    place: Place,
    observation: Observation,
    deadlineMs: number,
    options: InferOptions | undefined,
  ): Promise<ActionChunk> {
    return this.#ask(
      place,
      deadlineMs,
      (policy, leftMs) => {
        this.#calls += 1;
        const began = this.#clock.monotonicMs();
        return policy.infer(observation, leftMs, options).then(
          (chunk) => {
            this.#latencies.add(this.#clock.monotonicMs() - began);
            this.#instances.checkChunk(policy, chunk);
            return chunk;
          },
          (error: unknown) => {
            // A question that does not fit says nothing of the policy.
            if (!(error instanceof EdgeError && error.code === 'model.bad_observation')) this.#failures += 1;
            throw error;
          },
        );
      },
      options?.signal,
    ) as Promise<ActionChunk>;
  }

  async reset(place: Place): Promise<void> {
    if (!this.#instances.remembers()) {
      if (place.closed || this.#closed) throw this.#gone();
      return;
    }
    await this.#ask(place, RESET_MS, (policy) => this.#instances.reset(place, policy), undefined);
  }

  /**
   * Another policy in its place, without failing a question. Rejects as `make` does; the former one then stays in
   * use. Of several the one that was asked for last counts; false: this is not it.
   */
  async swap(spec: PolicySpec): Promise<boolean> {
    this.#wanted = spec;
    try {
      if (!(await this.#instances.swap(spec))) return false;
      this.#spec = spec;
      this.#goOn();
      return true;
    } catch (thrown) {
      if (this.#wanted === spec) this.#wanted = this.#spec;
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const place of [...this.#places]) place.closed = true;
    for (const job of [...this.#turns.all()])
      if (this.#turns.remove(job)) job.settle(undefined, this.#gone());
    this.#running?.settle(undefined, this.#gone());
    this.#places.clear();
    await this.#instances.close();
  }

  #ask(
    place: Place,
    deadlineMs: number,
    work: NonNullable<Job['work']>,
    signal: AbortSignal | undefined,
  ): Promise<unknown> {
    const { name } = this.#spec;
    if (place.closed || this.#closed) return Promise.reject(this.#gone());
    if (signal?.aborted) return Promise.reject(cancelled(name));
    if (!(deadlineMs > 0)) return Promise.reject(this.#late(deadlineMs));
    const refusal = this.#refusal(place);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const job: Job = {
        caller: place.caller.id,
        first: place.caller.wire === 'control',
        place,
        until: this.#clock.monotonicMs() + deadlineMs,
        preparing: false,
        work,
        settle: (result, error) => {
          if (job.work === undefined) return;
          job.work = undefined;
          timer.cancel();
          signal?.removeEventListener('abort', onAbort);
          if (error) reject(error);
          else resolve(result);
        },
      };
      const giveUp = (error: EdgeError) => {
        this.#turns.remove(job);
        job.settle(undefined, error);
      };
      const timer = this.#clock.after(deadlineMs, () => giveUp(this.#late(deadlineMs)));
      const onAbort = () => giveUp(cancelled(name));
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#turns.push(job);
      if (this.#atHand(job) && !this.#running) this.#next();
    });
  }

  /** Why nothing more of this caller is taken now. */
  #refusal(place: Place): EdgeError | undefined {
    const { queueMax, name } = this.#spec;
    const { id, wire } = place.caller;
    const own = this.#turns.of(id) + (this.#running?.caller === id ? 1 : 0);
    if (own >= queueMax) return overloaded(name, `${own} requests of this caller are already waiting`);
    if (this.#turns.size < LIMITS.POLICY_QUEUE_MAX) return undefined;
    const greedy = this.#turns.newestOfGreediest();
    const gives = greedy && (wire === 'control' || this.#turns.of(greedy.caller) > own + 1);
    if (!gives) return overloaded(name, `${this.#turns.size} requests are already waiting`);
    this.#turns.remove(greedy);
    greedy.settle(undefined, overloaded(name, 'callers with fewer requests have priority'));
    return undefined;
  }

  /**
   * Whether there is an instance for this one. Where not it is made while others have their turns: no caller waits
   * for another one's. If that fails, so does the question.
   */
  #atHand(job: Job): boolean {
    if (this.#instances.of(job.place)) return true;
    if (job.preparing) return false;
    job.preparing = true;
    const over = () => {
      job.preparing = false;
      this.#goOn();
    };
    this.#instances.prepare(job.place).then(over, (thrown: unknown) => {
      // By now it may have been asked of another instance.
      if (this.#turns.remove(job))
        job.settle(undefined, EdgeError.from(thrown, 'model.failed', 'infer', this.#spec.name));
      over();
    });
    return false;
  }

  /** After something has changed outside of a turn. */
  #goOn(): void {
    if (this.#running) return;
    this.#instances.done();
    this.#next();
  }

  /** The next one whose time is not over. */
  #next(): void {
    for (;;) {
      const job = this.#turns.shift((one) => this.#atHand(one));
      this.#running = job;
      if (!job) return;
      if (this.#clock.monotonicMs() < job.until) return void this.#run(job);
      job.settle(undefined, this.#late(0));
    }
  }

  async #run(job: Job): Promise<void> {
    const { place } = job;
    const policy = this.#instances.of(place)!;
    try {
      // What it takes to start is no matter of this question's deadline, which its own timer keeps.
      if (this.#instances.remembersAnother(place, policy))
        await this.#orDeaf(this.#instances.reset(place, policy), RESET_MS);
      const { work } = job;
      const leftMs = job.until - this.#clock.monotonicMs();
      if (work === undefined) return;
      if (leftMs <= 0) throw this.#late(0);
      const asked = work(policy, leftMs);
      job.settle(await this.#orDeaf(asked, leftMs), undefined);
    } catch (thrown) {
      if (thrown === DEAF) this.#instances.giveUp(place, policy);
      const { name } = this.#spec;
      job.settle(
        undefined,
        thrown === DEAF ? this.#late(RESET_MS) : EdgeError.from(thrown, 'model.failed', 'infer', name),
      );
    } finally {
      this.#instances.done();
      this.#next();
    }
  }

  /** The caller is answered at its deadline by its own timer; this is about the policy that holds the turn. */
  #orDeaf(asked: Promise<unknown>, leftMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(leftMs + GRACE_MS, () => reject(DEAF));
      asked.then(
        (result) => {
          timer.cancel();
          resolve(result);
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  }

  #late(deadlineMs: number): EdgeError {
    const { name } = this.#spec;
    const message =
      deadlineMs > 0
        ? `no answer within ${deadlineMs} ms`
        : 'its deadline passed while it waited in the queue';
    return new EdgeError('deadline.exceeded', { operation: 'infer', subject: name, message });
  }

  #gone(): EdgeError {
    const { name } = this.#spec;
    return new EdgeError('model.unavailable', {
      operation: 'infer',
      subject: name,
      message: 'the session is closed',
      retryable: false,
    });
  }
}

/** Thrown for a policy that breaks its promise to settle. */
const DEAF = new Error('deaf');

function cancelled(name: string): EdgeError {
  return new EdgeError('run.cancelled', {
    operation: 'infer',
    subject: name,
    message: 'the request was cancelled',
  });
}

function overloaded(name: string, message: string): EdgeError {
  return new EdgeError('cell.overloaded', {
    operation: 'infer',
    subject: name,
    message,
    hint: 'send requests less often than one inference takes',
  });
}
