import { type Clock, EdgeError, type PolicyDescription, type PolicySession } from '../../contract/core.ts';
import { checkObservation } from '../../formats/policy-wire/observation-check.ts';
import { grootKeys, type WireKeys, type WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { namedActions, observationOf } from '../../formats/policy-wire/wire-observation.ts';
import { hashBehind } from '../../formats/policy-wire/wire-server.ts';
import {
  actionReply,
  batchOf,
  type GrootForm,
  modalityConfig,
  readObserved,
  withTask,
} from './groot-messages.ts';

export type GrootClientOptions = {
  readonly keys: WireKeysFile;
  readonly deadlineMs: number;
  readonly clock: Clock;
};

/** One client at our GR00T server: its session, its generation, one question at a time. */
export class GrootClient {
  readonly #open: () => PolicySession;
  readonly #options: GrootClientOptions;
  #session: PolicySession;
  #form: GrootForm = 'tuple';
  #busy = false;
  #lastMs: number;

  /** Throws as `open` does: its session is there from the first on. */
  constructor(open: () => PolicySession, options: GrootClientOptions) {
    this.#open = open;
    this.#session = open();
    this.#options = options;
    this.#lastMs = options.clock.monotonicMs();
  }

  get busy(): boolean {
    return this.#busy;
  }

  /** When it was last heard, on the monotonic clock. */
  get lastMs(): number {
    return this.#lastMs;
  }

  async action(data: Readonly<Record<string, unknown>>): Promise<unknown> {
    const { clock, deadlineMs } = this.#options;
    return this.#alone(async () => {
      const session = this.#living();
      const policy = session.describe();
      const keys = this.#keys(policy);
      const observed = readObserved(data);
      this.#form = observed.form;
      const batch = batchOf(observed);
      if (batch !== undefined)
        throw new EdgeError('model.bad_observation', {
          operation: 'infer',
          subject: 'groot',
          message: `${batch}: expected a batch size of one`,
        });
      const values = withTask(observed.values, keys.task);
      const observation = observationOf(values, policy, keys, clock.now());
      checkObservation(observation, policy);
      const { actions, policyHash, stepMs } = await session.infer(observation, deadlineMs);
      const arrays = namedActions(actions, keys, observed.batched ? [1] : []);
      return actionReply(observed, arrays, { policy_hash: policyHash, step_ms: stepMs });
    });
  }

  /** In the generation that this client has shown; the newer one before it has. */
  modalities(): unknown {
    this.#lastMs = this.#options.clock.monotonicMs();
    const policy = this.#living().describe();
    return modalityConfig(policy, this.#keys(policy), this.#form);
  }

  async reset(): Promise<unknown> {
    return this.#alone(async () => {
      await this.#living().reset();
      return {};
    });
  }

  async close(): Promise<void> {
    await this.#session.close();
  }

  /** Another one where its policy was taken away: one of that name may be there by now. */
  #living(): PolicySession {
    if (hashBehind(this.#session) !== undefined) return this.#session;
    // Left before the new one is entered: a desk counts its sessions.
    void this.#session.close().catch(() => {});
    this.#session = this.#open();
    return this.#session;
  }

  #keys(policy: PolicyDescription): WireKeys {
    return grootKeys(policy, this.#options.keys);
  }

  /** Only one request at a time: a REQ socket cannot send a second one before its answer came. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy)
      throw new EdgeError('cell.overloaded', {
        operation: 'infer',
        subject: 'groot',
        message: 'the previous request is not answered yet; send one request at a time',
      });
    this.#busy = true;
    try {
      return await work();
    } finally {
      this.#busy = false;
      this.#lastMs = this.#options.clock.monotonicMs();
    }
  }
}
