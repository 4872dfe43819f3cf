import type { ApiClient } from '../../../daemon/client/api-client.ts';
import { startDaemon } from '../../../daemon/client/daemon-child.ts';
import type { Settings } from '../../../daemon/settings.ts';

export async function answers(api: ApiClient): Promise<boolean> {
  try {
    await api.get('/healthz');
    return true;
  } catch {
    return false;
  }
}

/** A daemon without a robot for as long as a command takes; undefined where one runs already. */
export async function daemonIfNone(
  api: ApiClient,
  settings: Settings,
  note: (text: string) => void,
  env: Readonly<Record<string, string>> = {},
): Promise<{ stop(): Promise<number> } | undefined> {
  if (await answers(api)) return undefined;
  note('no daemon is running: starting one for this, without a robot');
  return startDaemon({
    dataDir: settings.dataDir,
    config: settings.file,
    env: { AURAISON_ROBOT_SOURCE: 'none', AURAISON_API_PORT: '0', AURAISON_ZENOH_ENABLED: 'false', ...env },
  });
}
