import { EdgeError } from '../../contract/core.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';
import { fileTargets, prepareFiles } from './targets/files.ts';
import { messageTargets } from './targets/messages.ts';
import { pickleTargets } from './targets/pickles.ts';
import { policyTargets } from './targets/policies.ts';
import { wireTargets } from './targets/wires.ts';

export const TARGETS: readonly Target[] = [
  ...messageTargets,
  ...wireTargets,
  ...pickleTargets,
  ...policyTargets,
  ...fileTargets,
];
export const prepare = prepareFiles;

export type Case = { readonly target: Target; readonly input: Uint8Array };

/** Case number `index` of a seed: the same ever after, so that a number is all that has to be written down. */
export function caseOf(seed: number, index: number, targets: readonly Target[] = TARGETS): Case {
  const random = new Random(seed, index);
  const total = targets.reduce((sum, { weight }) => sum + weight, 0);
  let left = (random.next() / 2 ** 32) * total;
  const target = targets.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
  const chosen = target ?? targets.at(-1)!;
  return { target: chosen, input: chosen.make(random) };
}

/** Undefined when the target did what it has to: took the input, or refused it with a typed error. */
export async function findingOf({ target, input }: Case): Promise<string | undefined> {
  try {
    await target.run(input);
    return undefined;
  } catch (error) {
    if (error instanceof EdgeError && error.code !== 'internal.fault') return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}
