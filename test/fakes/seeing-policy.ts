import type { ActionChunk, Observation, Policy, PolicyDescription } from '../../contract/core.ts';

/**
 * Sees, is told a task and remembers: each action is the state plus the mean of the picture, plus the number of
 * questions of this episode in the last place. So whoever mixes up pictures, tasks or episodes is found out.
 */
export class SeeingPolicy implements Policy {
  asked: Observation[] = [];
  resets = 0;
  #step = 0;

  describe(): PolicyDescription {
    return {
      name: 'seeing',
      hash: 'ab'.repeat(32),
      inputs: { 'observation.state': [3] },
      images: { 'observation.images.front': [4, 5, 3] },
      output: [2, 4],
      stepMs: 50,
      actionNames: ['x', 'y', 'z', 'step'],
      takesTask: true,
    };
  }

  async infer(observation: Observation): Promise<ActionChunk> {
    this.asked.push(observation);
    const state = observation.tensors['observation.state']!.data;
    const picture = observation.images!['observation.images.front']!.data;
    const mean = picture.reduce((sum, byte) => sum + byte, 0) / picture.length;
    const said = observation.task?.length ?? 0;
    const row = [...state].map((value) => value + mean + said);
    this.#step += 1;
    const data = Float32Array.of(...row, this.#step, ...row.map((value) => value + 1), this.#step);
    return {
      actions: { shape: [2, 4], data },
      stepMs: 50,
      stamp: observation.stamp,
      policyHash: this.describe().hash,
    };
  }

  async reset(): Promise<void> {
    this.resets += 1;
    this.#step = 0;
  }

  async close(): Promise<void> {}
}

/** What it takes: a state that begins with `first`, and a picture whose bytes are all `shade`. */
export function seen(first: number, shade: number, task = 'pick'): Observation {
  return {
    tensors: { 'observation.state': { shape: [3], data: Float32Array.of(first, first + 1, first + 2) } },
    images: { 'observation.images.front': { shape: [4, 5, 3], data: new Uint8Array(60).fill(shade) } },
    task,
    stamp: 7n,
  };
}
