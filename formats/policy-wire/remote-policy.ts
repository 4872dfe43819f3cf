import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  LIMITS,
  type Observation,
  type Policy,
  type PolicyDescription,
  type Tensor,
  withDeadline,
} from '../../contract/core.ts';
import { checkObservation } from './observation-check.ts';
import { untilWithdrawn } from './withdrawn.ts';

/**
 * The way to one server. `ask` may take for ever: `drop` is called then, and what the way still brings is not looked
 * at. Both wires answer in order and name no question, so a connection is replaced once an answer timed out.
 */
export interface RemoteLine {
  /** Rejects with `model.unavailable` (no server there), `model.failed`, `model.bad_observation`. */
  ask(observation: Observation): Promise<{ readonly actions: Tensor; readonly hash?: string }>;
  /** Starts a new episode at the server, where its protocol has a message for that. */
  reset(): Promise<void>;
  drop(): void;
  close(): Promise<void>;
}

/** A policy behind a server of another make: one question at a time, in order, each by its deadline. */
export class RemotePolicy implements Policy {
  readonly #description: PolicyDescription;
  readonly #line: RemoteLine;
  readonly #clock: Clock;
  /** The question before, settled one way or the other. */
  #before: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(description: PolicyDescription, line: RemoteLine, clock: Clock) {
    this.#description = description;
    this.#line = line;
    this.#clock = clock;
  }

  describe(): PolicyDescription {
    return this.#description;
  }

  async infer(
    observation: Observation,
    deadlineMs: number,
    options: InferOptions = {},
  ): Promise<ActionChunk> {
    checkObservation(observation, this.#description);
    const { actions, hash } = await this.#inTurn(deadlineMs, options.signal, () =>
      this.#line.ask(observation),
    );
    return {
      actions,
      stepMs: this.#description.stepMs,
      stamp: observation.stamp,
      policyHash: hash ?? this.#description.hash,
    };
  }

  async reset(): Promise<void> {
    await this.#inTurn(LIMITS.POLICY_DEADLINE_MS_MAX, undefined, () => this.#line.reset());
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#line.close();
  }

  /** Waits for the questions before, then for the answer, both within the deadline; a late one loses its way. */
  async #inTurn<T>(deadlineMs: number, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { name } = this.#description;
    if (this.#closed) throw this.#gone();
    if (this.#waiting >= LIMITS.POLICY_QUEUE_MAX)
      throw new EdgeError('cell.overloaded', {
        operation: 'infer',
        subject: name,
        message: `${this.#waiting} requests are already waiting for ${name}`,
      });
    this.#waiting += 1;
    const before = this.#before;
    let free: () => void = () => {};
    this.#before = new Promise<void>((resolve) => {
      free = resolve;
    });
    let asked = false;
    let over = false;
    const answered = before.then(() => {
      if (over) throw this.#gone();
      asked = true;
      return work();
    });
    try {
      return await withDeadline(
        this.#clock,
        deadlineMs,
        untilWithdrawn(answered, signal, name),
        'infer',
        name,
      );
    } catch (error) {
      // Only an answer that is still on its way makes the next one ambiguous.
      if (asked && givenUp(error, signal)) this.#line.drop();
      throw error;
    } finally {
      over = true;
      this.#waiting -= 1;
      void before.then(free);
    }
  }

  #gone(): EdgeError {
    return new EdgeError('model.unavailable', {
      operation: 'infer',
      subject: this.#description.name,
      message: `${this.#description.name}: closed`,
      retryable: false,
    });
  }
}

function givenUp(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || (error instanceof EdgeError && error.code === 'deadline.exceeded');
}
