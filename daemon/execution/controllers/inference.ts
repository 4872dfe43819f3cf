import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type InferOptions,
  type PolicyDescription,
  type PolicyDesk,
  type PolicySession,
  withDeadline,
} from '../../../contract/core.ts';
import type { Question } from './controller-core.ts';
import type { ControllerSpec } from './controller-spec.ts';
import type { ObservationDesk } from './observation-desk.ts';

export type InferenceDeps = {
  readonly clock: Clock;
  readonly spec: ControllerSpec;
  readonly desk: PolicyDesk;
  readonly observations: ObservationDesk;
};

export type Inferred = { readonly chunk: ActionChunk; readonly observationNs: bigint };

/** A place at the policy is taken again after these: it is gone, and the next may be another one of that name. */
const GONE: readonly string[] = ['model.unavailable', 'model.not_found', 'cell.restarted'];

/** The questions of one controller to its policy: one session, opened again when its policy went away. */
export class Inference {
  readonly #deps: InferenceDeps;
  #session: PolicySession | undefined;

  constructor(deps: InferenceDeps) {
    this.#deps = deps;
  }

  /**
   * Its policy, checked: it takes what the controller has, and gives as many numbers as there are names. Throws
   * `model.not_found`, `model.unavailable` and `model.bad_observation`.
   */
  describe(): PolicyDescription {
    const known = this.#session;
    try {
      return this.#checked(this.#open());
    } catch (thrown) {
      // Its policy went away while nothing ran: one of that name may be there again.
      const gone = thrown instanceof EdgeError && GONE.includes(thrown.code);
      if (!known || !gone) throw thrown;
      void this.close();
      return this.#checked(this.#open());
    }
  }

  /** Also in the midst of a run: another policy may have come in its place, with its numbers in another order. */
  #checked(session: PolicySession): PolicyDescription {
    const { spec, observations } = this.#deps;
    const description = session.describe();
    observations.check(description);
    const [, dimension] = description.output;
    const { names } = spec.output;
    if (dimension !== names.length) {
      const message = `policy ${description.name} outputs ${dimension} numbers per action, but the controller names ${names.length}: ${names.join(', ')}`;
      throw new EdgeError('model.bad_observation', {
        operation: 'check policy',
        subject: spec.name,
        message,
      });
    }
    const { actionNames } = description;
    const odd = actionNames?.findIndex((name, i) => name !== names[i]) ?? -1;
    if (odd >= 0) {
      const message = `element ${odd} of an action is ${actionNames![odd]} in policy ${description.name}, but ${names[odd]} in the controller`;
      throw new EdgeError('model.bad_observation', {
        operation: 'check policy',
        subject: spec.name,
        message,
      });
    }
    return description;
  }

  /** An episode starts. */
  async reset(): Promise<void> {
    const { clock, spec } = this.#deps;
    await withDeadline(clock, spec.inferTimeoutMs, this.#open().reset(), 'reset policy', spec.name);
  }

  /** Settles soon after `inferTimeoutMs`, whatever the policy does. */
  async infer(question: Question, task: string | undefined, signal: AbortSignal): Promise<Inferred> {
    const { clock, spec, observations } = this.#deps;
    const { inferTimeoutMs: ms, name } = spec;
    try {
      const began = clock.monotonicMs();
      const session = this.#open();
      const description = this.#checked(session);
      const generation = session.generation?.() ?? 0;
      const told = description.takesTask === false ? undefined : task;
      const observation = await withDeadline(
        clock,
        ms,
        observations.observe(description, told),
        'observe',
        name,
      );
      const left = Math.max(1, ms - (clock.monotonicMs() - began));
      const prefix = this.#prefix(question, description);
      const answer = session.infer(observation, left, { signal, ...(prefix ? { prefix } : {}) });
      const chunk = await withDeadline(clock, left + 100, answer, 'infer', name);
      // The hash is the network's: the same one with another card may have other steps.
      const swaps = (session.generation?.() ?? 0) - generation;
      if (swaps !== 0 || chunk.policyHash !== description.hash || chunk.stepMs !== description.stepMs)
        this.#checkOther(chunk, description, session, { swaps, hasPrefix: prefix !== undefined });
      return { chunk, observationNs: observation.stamp };
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'model.failed', 'infer', name);
      if (GONE.includes(error.code)) await this.close();
      throw error;
    }
  }

  /** Rows on another grid, or of another policy, cannot be continued by this one: it gets no prefix. */
  #prefix(
    { prefix, stepMs, policyHash }: Question,
    description: PolicyDescription,
  ): InferOptions['prefix'] | undefined {
    const own = stepMs === description.stepMs && policyHash === description.hash;
    if (description.takesPrefix !== true || !own || prefix.length === 0) return undefined;
    const dimension = this.#deps.spec.output.names.length;
    return { shape: [prefix.length / dimension, dimension], data: prefix };
  }

  /**
   * Between its description and its answer another policy may have come in its place: what that one says of itself
   * counts. After a second swap it is unknown whose answer it is, also where the first policy is back. A
   * server behind a card of this project names its own network in each answer: there the description stays, and
   * nothing was swapped.
   */
  #checkOther(
    { policyHash }: ActionChunk,
    asked: PolicyDescription,
    session: PolicySession,
    { swaps, hasPrefix }: { readonly swaps: number; readonly hasPrefix: boolean },
  ): void {
    const { hash, name } = this.#checked(session);
    const fits = hash === policyHash || (swaps === 0 && hash === asked.hash);
    if (!hasPrefix && swaps <= 1 && fits) return;
    // What is fixed in its answer was fixed for the other policy; or the meaning of its numbers is unknown.
    const message = `policy ${name} was replaced during the call: ${asked.hash} was called, ${policyHash} answered, ${hash} is loaded now`;
    throw new EdgeError('model.failed', { operation: 'infer', subject: this.#deps.spec.name, message });
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close().catch(() => {});
  }

  #open(): PolicySession {
    const { desk, spec } = this.#deps;
    const caller = { id: `controller/${spec.name}`, wire: 'control', principal: 'controller' } as const;
    this.#session ??= desk.open(caller, spec.policy === '' ? undefined : spec.policy);
    return this.#session;
  }
}
