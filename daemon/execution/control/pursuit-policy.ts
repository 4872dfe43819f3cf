import { createHash } from 'node:crypto';
import {
  type ActionChunk,
  EdgeError,
  type Observation,
  type Policy,
  type PolicyDescription,
} from '../../../contract/core.ts';
import { DRIVE_LIMITS, type DriveLimits } from './drive-limits.ts';
import { HORIZON, pursue, SECTORS, STEP_MS } from './pursuit.ts';

/** Changes whenever `pursue` drives differently for the same inputs. */
const VERSION = 1;

const INPUTS = { scan: [1, SECTORS], goal: [1, 3], twist: [1, 2] } as const;

/** The analytic driver as a policy: what runs where no network is configured, and the teacher of those. */
export class PursuitPolicy implements Policy {
  readonly #limits: DriveLimits;
  readonly #description: PolicyDescription;

  constructor(limits: DriveLimits = DRIVE_LIMITS) {
    this.#limits = limits;
    const hash = createHash('sha256')
      .update(JSON.stringify({ name: 'pursuit', VERSION, limits }))
      .digest('hex');
    this.#description = { name: 'pursuit', hash, inputs: INPUTS, output: [HORIZON, 2], stepMs: STEP_MS };
  }

  describe(): PolicyDescription {
    return this.#description;
  }

  /** Computes at once; the deadline cannot pass. */
  async infer(observation: Observation, _deadlineMs: number): Promise<ActionChunk> {
    const scan = this.#input(observation, 'scan');
    const goal = this.#input(observation, 'goal');
    const twist = this.#input(observation, 'twist');
    return {
      actions: { shape: [HORIZON, 2], data: pursue(scan, goal, twist, this.#limits) },
      stepMs: STEP_MS,
      stamp: observation.stamp,
      policyHash: this.#description.hash,
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #input(observation: Observation, name: keyof typeof INPUTS): Float32Array {
    const tensor = observation.tensors[name];
    const length = INPUTS[name][1];
    if (!tensor || tensor.data.length !== length) {
      throw badObservation(name, tensor ? `${tensor.data.length} values, not ${length}` : 'missing');
    }
    for (const value of tensor.data)
      if (!Number.isFinite(value)) throw badObservation(name, `holds ${value}`);
    return tensor.data;
  }
}

function badObservation(name: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: `pursuit/${name}`, message });
}
