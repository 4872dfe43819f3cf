import {
  type ActionChunk,
  EdgeError,
  type InferOptions,
  type Observation,
  type PolicyCaller,
  type PolicyDescription,
  type PolicyDesk,
  type PolicySession,
  type ServedPolicy,
} from '../../contract/core.ts';
import { pause } from '../../contract/deadline.ts';
import type { Clock } from '../../contract/ports/clock.ts';

/** One policy that answers after a while: all numbers of action i are what `make` says. */
export class FakePolicyDesk implements PolicyDesk {
  readonly #clock: Clock;
  #round = 0;
  delayMs = 0;
  alive = true;
  deaf = false;
  opened = 0;
  resets = 0;
  readonly observed: { observation: Observation; options: InferOptions | undefined }[] = [];
  /** Before an answer is made: another policy may come here, after its caller asked what it is. */
  onAsked: () => void = () => {};
  /** What a reset waits for. */
  resetting: () => Promise<void> = async () => {};
  make: (observation: Observation, i: number) => number = (_, i) => i;
  #generation = 0;
  #description: PolicyDescription = {
    name: 'fake',
    hash: 'a'.repeat(64),
    inputs: { 'observation.state': [1, 2] },
    output: [50, 2],
    stepMs: 20,
  };

  get description(): PolicyDescription {
    return this.#description;
  }
  /** Another policy takes the place. */
  set description(description: PolicyDescription) {
    this.#description = description;
    this.#generation++;
  }

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The policy is taken away and one of that name is there again: sessions of before are over. */
  renew(): void {
    this.#round++;
  }

  policies(): readonly ServedPolicy[] {
    return [];
  }

  open(_caller: PolicyCaller, policy?: string): PolicySession {
    if (policy === 'missing')
      throw new EdgeError('model.not_found', { operation: 'find policy', subject: policy });
    this.opened++;
    let open = true;
    const round = this.#round;
    return {
      describe: () => {
        if (!open || round !== this.#round)
          throw new EdgeError('model.unavailable', { operation: 'describe', subject: 'fake' });
        return this.description;
      },
      generation: () => this.#generation,
      infer: async (observation, _deadlineMs, options) => {
        if (!open || !this.alive)
          throw new EdgeError('model.unavailable', { operation: 'infer', subject: 'fake' });
        if (this.deaf) return new Promise<ActionChunk>(() => {});
        this.onAsked();
        this.observed.push({ observation, options });
        const { output, stepMs, hash } = this.description;
        const [horizon, dimension] = output;
        const data = new Float32Array(horizon * dimension);
        for (let i = 0; i < horizon; i++)
          data.fill(this.make(observation, i), i * dimension, (i + 1) * dimension);
        if (this.delayMs > 0) await pause(this.#clock, this.delayMs);
        if (!this.alive) throw new EdgeError('model.unavailable', { operation: 'infer', subject: 'fake' });
        return { actions: { shape: output, data }, stepMs, stamp: observation.stamp, policyHash: hash };
      },
      reset: async () => {
        this.resets++;
        await this.resetting();
      },
      close: async () => {
        open = false;
      },
    };
  }
}
