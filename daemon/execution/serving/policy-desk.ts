import {
  type Clock,
  EdgeError,
  type PolicyCaller,
  type PolicyDesk,
  type PolicySession,
  type ServedPolicy,
  type Timer,
} from '../../../contract/core.ts';
import { type PolicySpec, ServedPolicyQueue } from './served-policy.ts';

export type DeskOptions = {
  readonly clock: Clock;
  /** The first is the default. Names are unique. */
  readonly policies: readonly PolicySpec[];
  report(level: 'info' | 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};

/** What was not available is tried again so often, milliseconds. */
const RETRY_MS = 3_000;

/** The policies of this robot, for every wire. See `PolicyDesk`. */
export class ExecutionPolicyDesk implements PolicyDesk {
  readonly #options: DeskOptions;
  #served = new Map<string, ServedPolicyQueue>();
  #closed = false;
  #retry: Timer | undefined;

  constructor(options: DeskOptions) {
    this.#options = options;
    for (const spec of options.policies)
      this.#served.set(spec.name, new ServedPolicyQueue(spec, options.clock));
  }

  /** Finds out what each policy is. Never rejects: what is not available says so in `policies()`. */
  async start(): Promise<void> {
    // A server that was not there comes up, a session opens: it becomes known without a question.
    this.#retry = this.#options.clock.every(RETRY_MS, () => {
      for (const queue of this.#served.values()) if (queue.view().state === 'failed') void queue.warm();
    });
    await Promise.all([...this.#served.values()].map((queue) => this.#warm(queue)));
  }

  policies(): readonly ServedPolicy[] {
    return [...this.#served.values()].map((queue) => queue.view());
  }

  open(caller: PolicyCaller, policy?: string): PolicySession {
    const queue = this.#find(policy);
    const place = queue.enter(caller);
    return {
      describe: () => queue.describe(place),
      generation: () => queue.generation,
      infer: (observation, deadlineMs, options) => queue.infer(place, observation, deadlineMs, options),
      reset: () => queue.reset(place),
      close: async () => queue.leave(place),
    };
  }

  /**
   * Other policies count from now on. One that stays and changed is swapped without failing a question; one that cannot
   * be made leaves the former one in place and is reported. Sessions of one that is gone end.
   */
  async apply(specs: readonly PolicySpec[]): Promise<void> {
    const { clock, report } = this.#options;
    const before = this.#served;
    this.#served = new Map();
    const work: Promise<void>[] = [];
    for (const spec of specs) {
      const known = before.get(spec.name);
      const queue = known ?? new ServedPolicyQueue(spec, clock);
      before.delete(spec.name);
      this.#served.set(spec.name, queue);
      if (!known) work.push(this.#warm(queue));
      else if (spec.revision === undefined || known.wanted.revision !== spec.revision)
        work.push(this.#swap(known, spec));
    }
    for (const [name, queue] of before) {
      report('info', `the policy ${name} is no longer configured`, {});
      work.push(queue.close());
    }
    await Promise.all(work);
  }

  /**
   * Makes a policy again from where it came from, for example after its file changed. `model.not_found`, else as making
   * it.
   */
  async reload(name: string): Promise<ServedPolicy> {
    const queue = this.#find(name);
    await this.#swapTold(queue, queue.wanted);
    return queue.view();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#retry?.cancel();
    await Promise.all([...this.#served.values()].map((queue) => queue.close()));
  }

  #find(policy: string | undefined): ServedPolicyQueue {
    const names = [...this.#served.keys()];
    const queue = this.#served.get(policy ?? names[0] ?? '');
    if (queue && !this.#closed) return queue;
    const shown = policy?.slice(0, 64) ?? 'default';
    throw new EdgeError('model.not_found', {
      operation: 'find policy',
      subject: shown,
      message: `unknown policy ${shown}; configured: ${names.join(', ') || 'none'}`,
    });
  }

  async #warm(queue: ServedPolicyQueue): Promise<void> {
    await queue.warm();
    const { name, state, reason } = queue.view();
    if (state === 'failed')
      this.#options.report('warn', `the policy ${name} is not available: ${reason}`, {});
  }

  #swap(queue: ServedPolicyQueue, spec: PolicySpec): Promise<void> {
    return this.#swapTold(queue, spec).catch(() => {});
  }

  /** How it ended is reported, also when no caller waits for it. */
  async #swapTold(queue: ServedPolicyQueue, spec: PolicySpec): Promise<void> {
    const { report } = this.#options;
    try {
      const { hash: before } = queue.view();
      if (!(await queue.swap(spec))) return;
      const { hash } = queue.view();
      report('info', `the policy ${spec.name} was replaced`, { before, hash });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'model.unavailable', 'swap policy', spec.name);
      const { code, message, hint } = error;
      report('warn', `the policy ${spec.name} was not replaced: ${message}`, { code, hint });
      throw error;
    }
  }
}
