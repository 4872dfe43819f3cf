import { PolicyBook, readPolicySource } from '../../adapters/cedar/index.ts';
import type { PolicyHook, ReplayOutcome, ReplayRequest } from '../../contract/core.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { notSupported, swapRun } from '../runtime/replay/swap-run.ts';
import type { Settings } from '../settings.ts';
import { liveModel } from './replay-model.ts';
import { simReplay } from './replay-sim.ts';

/** A replay with something live in it. Throws `run.not_supported` for swaps that do not go together. */
export async function swappedReplay(
  settings: Settings,
  parts: ReplayParts,
  runId: string,
  request: ReplayRequest,
  signal?: AbortSignal,
): Promise<ReplayOutcome> {
  const { from, model, sim } = request;
  const judges = request.policy !== undefined || request.policies !== undefined;
  if (sim === true) {
    if (model !== undefined || judges || from !== undefined)
      throw notSupported(
        '--sim starts the world again: it goes with neither --from, --model nor --policy',
        'other models and policies for a simulation are set in the configuration (--config)',
      );
    return await simReplay(settings, parts, runId, signal);
  }
  const live = model === undefined ? undefined : await liveModel(settings, parts, model);
  try {
    return await swapRun(parts, runId, from, {
      ...(judges ? { hooks: [await policyHook(settings, parts, request)] } : {}),
      ...(live ? { models: live.models } : {}),
    });
  } finally {
    await live?.close();
  }
}

/** Policies of a folder, or as text, judging everybody by the roles that the intent came with. */
async function policyHook(
  settings: Settings,
  parts: ReplayParts,
  { policy = '', policies }: ReplayRequest,
): Promise<PolicyHook> {
  return await PolicyBook.open({
    robot: settings.config.daemon.name,
    clock: parts.host,
    read: () =>
      policies === undefined
        ? readPolicySource(policy, [])
        : {
            policies: [{ file: 'request.cedar', text: policies }],
            entities: { file: 'entities.json', text: '' },
          },
    standing: ({ roles }) => ({ ok: true, roles }),
  });
}
