import type { ActionChunk, Observation, Policy, PolicyCaller } from '../../contract/index.ts';

export const who = (id: string, wire: PolicyCaller['wire'] = 'zenoh'): PolicyCaller => ({
  id,
  wire,
  principal: 'anonymous',
});
export const see = (value: number): Observation => ({
  tensors: { x: { shape: [1], data: Float32Array.of(value) } },
  stamp: BigInt(value),
});

/** Answers when told to, in order; notes what it was asked and when an episode began. */
export class PuppetPolicy implements Policy {
  readonly seen: string[] = [];
  readonly open: { resolve(): void; reject(error: Error): void; deadlineMs: number }[] = [];
  closed = 0;
  hash = 'a'.repeat(64);
  auto = false;

  describe() {
    return { name: 'puppet', hash: this.hash, inputs: { x: [1] }, output: [1, 1] as const, stepMs: 10 };
  }

  infer(observation: Observation, deadlineMs: number): Promise<ActionChunk> {
    const value = observation.tensors['x']!.data[0]!;
    this.seen.push(String(value));
    const chunk = {
      actions: { shape: [1, 1], data: Float32Array.of(value) },
      stepMs: 10,
      stamp: observation.stamp,
      policyHash: this.hash,
    };
    if (this.auto) return Promise.resolve(chunk);
    return new Promise((resolve, reject) =>
      this.open.push({ resolve: () => resolve(chunk), reject, deadlineMs }),
    );
  }

  async close(): Promise<void> {
    this.closed += 1;
  }

  answer(): void {
    this.open.shift()!.resolve();
  }
}

/** Adds up what it has seen since the last reset. */
export class Remembering extends PuppetPolicy {
  #sum = 0;
  override auto = true;

  override async infer(observation: Observation, deadlineMs: number): Promise<ActionChunk> {
    this.#sum += observation.tensors['x']!.data[0]!;
    const chunk = await super.infer(observation, deadlineMs);
    return { ...chunk, actions: { shape: [1, 1], data: Float32Array.of(this.#sum) } };
  }

  async reset(): Promise<void> {
    this.seen.push('reset');
    this.#sum = 0;
  }
}

/** Policies that remember, in the order in which they are made; the first of them never begins an episode. */
export function deafAtFirst(): { readonly made: readonly Remembering[]; readonly make: () => Remembering } {
  const made: Remembering[] = [];
  class Deaf extends Remembering {
    override reset(): Promise<void> {
      return made[0] === this ? new Promise(() => {}) : super.reset();
    }
  }
  const make = () => {
    made.push(new Deaf());
    return made.at(-1)!;
  };
  return { made, make };
}
