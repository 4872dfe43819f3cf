import { PolicyBook, readPolicySource } from '../../adapters/cedar/index.ts';
import type { PolicyHook, ReplayOutcome, ReplayRequest } from '../../contract/core.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { swapRun } from '../runtime/replay/swap-run.ts';
import type { Settings } from '../settings.ts';
import { notSupported } from './replay-faults.ts';
import { liveModel } from './replay-model.ts';
import { simReplay } from './replay-sim.ts';

/** A replay with something live in it. Throws `run.not_supported` for swaps that do not go together. */
export async function swappedReplay(
  settings: Settings,
  parts: ReplayParts,
  runId: string,
  request: ReplayRequest,
): Promise<ReplayOutcome> {
  const { from, model, policy, sim } = request;
  if (sim === true) {
    if (model !== undefined || policy !== undefined || from !== undefined)
      throw notSupported(
        '--sim begins the world anew: it goes with neither --from, --model nor --policy',
        'other models and policies for a simulation are set in the configuration (--config)',
      );
    return await simReplay(settings, parts, runId);
  }
  const live = model === undefined ? undefined : await liveModel(settings, parts, model);
  try {
    return await swapRun(parts, runId, from, {
      ...(policy === undefined ? {} : { hooks: [await policyHook(settings, parts, policy)] }),
      ...(live ? { models: live.models } : {}),
    });
  } finally {
    await live?.close();
  }
}

/** Policies of a folder, judging everybody by the roles that the intent came with. */
async function policyHook(settings: Settings, parts: ReplayParts, folder: string): Promise<PolicyHook> {
  return await PolicyBook.open({
    robot: settings.config.daemon.name,
    clock: parts.host,
    read: () => readPolicySource(folder, []),
    standing: ({ roles }) => ({ ok: true, roles }),
  });
}
