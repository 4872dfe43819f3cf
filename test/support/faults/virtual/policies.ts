import {
  type ActionChunk,
  type Clock,
  EdgeError,
  type Observation,
  type PolicyDescription,
  type PolicyDesk,
  type PolicySession,
  pause,
} from '../../../../contract/index.ts';

/** How a policy behaves; each of them is a fault but the first. */
export type Manner = 'well' | 'dead' | 'deaf' | 'late' | 'repeats' | 'nan' | 'infinite' | 'huge' | 'shape';

const STEP_MS = 50;
const HORIZON = 20;

/** One policy behind the port of the desk: it follows a wave, until it is told to behave otherwise. */
export class WildPolicies implements PolicyDesk {
  readonly #clock: Clock;
  readonly #values: (tMs: number) => readonly number[];
  readonly #description: PolicyDescription;
  #last: ActionChunk | undefined;
  manner: Manner = 'well';
  /** How late, where it is late, milliseconds. */
  lateMs = 0;

  constructor(clock: Clock, inputs: PolicyDescription['inputs'], values: (tMs: number) => readonly number[]) {
    this.#clock = clock;
    this.#values = values;
    const width = values(0).length;
    this.#description = {
      ...{ name: 'wild', hash: 'c'.repeat(64), inputs, output: [HORIZON, width], stepMs: STEP_MS },
    };
  }

  policies(): readonly [] {
    return [];
  }

  open(): PolicySession {
    return {
      describe: () => this.#description,
      infer: (observation) => this.#infer(observation),
      reset: async () => {},
      close: async () => {},
    };
  }

  async #infer(observation: Observation): Promise<ActionChunk> {
    const { manner } = this;
    if (manner === 'dead') throw new EdgeError('model.unavailable', { operation: 'infer', subject: 'wild' });
    if (manner === 'deaf') return new Promise(() => {});
    if (manner === 'late') await pause(this.#clock, this.lateMs);
    if (manner === 'repeats' && this.#last) return { ...this.#last, stamp: observation.stamp };
    const [horizon, width] = this.#description.output;
    const data = new Float32Array(horizon * width);
    const nowMs = this.#clock.monotonicMs();
    for (let i = 0; i < horizon; i++) data.set(this.#values(nowMs + i * STEP_MS), i * width);
    if (manner === 'nan') data[Math.floor(data.length / 3)] = Number.NaN;
    if (manner === 'infinite') data.fill(Number.NEGATIVE_INFINITY, width);
    if (manner === 'huge') data.fill(1e30);
    const shape = manner === 'shape' ? ([width, horizon + 1] as const) : ([horizon, width] as const);
    const { hash } = this.#description;
    const chunk = { actions: { shape, data }, stepMs: STEP_MS, stamp: observation.stamp, policyHash: hash };
    if (manner === 'well') this.#last = chunk;
    return chunk;
  }
}
