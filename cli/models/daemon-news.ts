import { EdgeError } from '../../contract/core.ts';
import { type ApiClient, apiClient, nobodyListens } from '../../daemon/client/api-client.ts';
import type { Settings } from '../../daemon/settings.ts';
import { daemonOf } from '../../daemon/supervisor/data-lock.ts';
import { reload } from '../commands/reload.ts';

/** What a running daemon made of a changed file. `text` is for people. */
export type DaemonNews = { readonly state: 'taken' | 'not_taken' | 'none'; readonly text: string };

const LOOKS = 40;
const LOOK_MS = 250;

/**
 * Lets the daemon of this data directory read its configuration again, and looks whether it has the model; with
 * `gone`, whether it no longer has it.
 */
export async function announce(settings: Settings, name: string, gone = false): Promise<DaemonNews> {
  if (daemonOf(settings.dataDir) === undefined)
    return { state: 'none', text: 'no daemon runs: it counts from the next auraison up' };
  const reloaded = await reload(settings.dataDir).catch((thrown: unknown) =>
    EdgeError.from(thrown, 'cell.unavailable', 'reload', settings.dataDir),
  );
  if (reloaded instanceof EdgeError)
    return { state: 'not_taken', text: `the daemon was not asked to reload: ${reloaded.message}` };
  if (!reloaded.ok)
    return { state: 'not_taken', text: `the daemon keeps its configuration: ${reloaded.error.message}` };
  for (let look = 0; look < LOOKS; look++) {
    if ((await has(settings, name)) !== gone)
      return { state: 'taken', text: `the running daemon ${gone ? 'has it no more' : 'has it'}` };
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return {
    state: 'not_taken',
    text: 'the running daemon did not take it: does it read this file (--config)? its log says why',
  };
}

/** Servers of models that a daemon starts need a while; the slowest is a large one. */
const UP_LOOKS = 480;

/**
 * Waits until no server of a model is still being started, two minutes at most: what is asked then is not refused for
 * that reason.
 */
export async function modelsUp(api: Pick<ApiClient, 'get'>, note: (text: string) => void): Promise<void> {
  for (let look = 0; look < UP_LOOKS; look++) {
    const { state } = await api.get<{ state?: string }>('/v1/engine').catch(() => ({ state: undefined }));
    if (state !== 'starting') return;
    if (look === 0) note('waiting for the server of the model …');
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function has(settings: Settings, name: string): Promise<boolean | undefined> {
  try {
    const { models } = await apiClient(settings).get<{ models: { name: string }[] }>('/v1/models');
    return models.some((model) => model.name === name);
  } catch (thrown) {
    if (thrown instanceof EdgeError && nobodyListens(thrown)) return undefined;
    throw thrown;
  }
}
