import type { CellContext } from '../../contract/core.ts';
import type { KeySpaceUser } from '../execution/key-space-keeper.ts';
import { VlaQueryable } from '../execution/serving/vla-queryable.ts';
import type { Settings } from '../settings.ts';
import type { Policies } from './policies.ts';

/** Ways to inference beside the API: the key space and ROS. */
export type Inference = { readonly keySpaceUsers: readonly KeySpaceUser[] };

export function makeInference(
  { config }: Settings,
  { clock }: Pick<CellContext, 'clock'>,
  { desk, door }: Pick<Policies, 'desk' | 'door'>,
): Inference {
  const { prefix } = config.zenoh;
  return { keySpaceUsers: [new VlaQueryable({ prefix, clock, door, desk })] };
}
