import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { Clock, ReplayApi } from '../../contract/core.ts';
import { FileReplayApi } from '../runtime/replay/file-replay.ts';
import { ForkedReplayApi } from '../runtime/replay/forked-replay.ts';
import type { Settings } from '../settings.ts';

/** Looking back for the API, each time in a process of its own. */
export function makeReplay(settings: Settings, clock: Clock): ReplayApi {
  const entry = fileURLToPath(new URL('./replay-main.ts', import.meta.url));
  return new ForkedReplayApi({ clock, entry, settings: JSON.stringify(settings) });
}

/** Looking back in this process: for the command line, and for `replay-main.ts`. */
export function makeFileReplay(settings: Settings, clock: Clock): ReplayApi {
  return new FileReplayApi({
    openReader: (cell) => openEventReader(settings.dataDir, cell),
    async load(reader, of) {
      // Loaded only here: comparing and tracing need no application.
      const { loadedForReplay } = await import('./replay-apps.ts');
      const { missing, ...loaded } = await loadedForReplay(settings, clock, of);
      const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
      return { missing, parts: { reader, host: clock, ...loaded, sha256 } };
    },
    async swapped(parts, runId, request, signal) {
      const { swappedReplay } = await import('./replay-swaps.ts');
      return await swappedReplay(settings, parts, runId, request, signal);
    },
  });
}
