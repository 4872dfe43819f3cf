import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type { ReplayOutcome, RunDetails, Submitted } from '../../contract/core.ts';
import { apiClient } from '../client/api-client.ts';
import { startDaemon } from '../client/daemon-child.ts';
import { simEnvironment, writeSimConfig } from '../client/sim-config.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { type FreshDaemon, simReplay as replayOnSim, type SimWorld } from '../runtime/replay/sim-replay.ts';
import { loadSettings, type Settings } from '../settings.ts';

/** A daemon is up by then, milliseconds. */
const START_MS = 60_000;

/** A replay on a fresh simulation, in a folder that is gone afterwards. */
export async function simReplay(
  settings: Settings,
  parts: ReplayParts,
  runId: string,
  signal?: AbortSignal,
): Promise<ReplayOutcome> {
  const dataDir = mkdtempSync(join(tmpdir(), 'auraison-replay-'));
  const { seed } = settings.config.sim;
  const start = (world: SimWorld | undefined) => freshDaemon(settings, dataDir, world);
  try {
    return await replayOnSim({ seed, start }, parts, runId, signal);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function freshDaemon(
  settings: Settings,
  dataDir: string,
  world: SimWorld | undefined,
): Promise<FreshDaemon> {
  const env = simEnvironment(process.env, dataDir, world);
  const config = writeSimConfig(settings, dataDir);
  const there = loadSettings(config, { ...process.env, ...env });
  const daemon = await startDaemon({ dataDir, config, env, timeoutMs: START_MS });
  // Of this environment nothing: it may name the robot itself.
  const api = apiClient(there, {});
  return {
    submit: async (request) => (await api.post<Submitted>('/v1/intents', request)).run.run_id,
    run: (again) => api.get<RunDetails>(`/v1/runs/${again}`),
    stop: async () => void (await daemon.stop()),
    openReader: () => openEventReader(dataDir, 'runtime'),
  };
}
