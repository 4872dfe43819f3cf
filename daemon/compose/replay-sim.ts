import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { apiClient } from '../../cli/api-client.ts';
import { startDaemon } from '../../cli/demo/daemon-child.ts';
import {
  type AgentEvent,
  EdgeError,
  isFinished,
  pause,
  type ReplayOutcome,
  type RunDetails,
  type Submitted,
} from '../../contract/core.ts';
import { decisionText } from '../runtime/decisions.ts';
import { sessionText } from '../runtime/replay/compared-line.ts';
import { readRun } from '../runtime/replay/recorded-run.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { diffRuns } from '../runtime/replay/run-diff.ts';
import { loadSettings, type Settings } from '../settings.ts';

/** A daemon is up, and a mission over, by then; milliseconds. */
const START_MS = 60_000;
const MISSION_MS = 15 * 60_000;
const POLL_MS = 250;

/**
 * The same intent on a fresh simulation: a daemon of its own in a folder of its own, with the configuration of this one
 * but nothing that reaches out (no middleware, no central, no recorder, a free port). The world is that of `[sim]`
 * in the configuration.
 */
export async function simReplay(
  settings: Settings,
  parts: ReplayParts,
  runId: string,
): Promise<ReplayOutcome> {
  const events = readRun(parts.reader, runId);
  const opened = events.find((event) => event.kind === 'intent.accepted');
  if (opened?.kind !== 'intent.accepted')
    throw new EdgeError('run.not_found', { operation: 'replay', subject: runId });
  const { type, params, priority } = opened.payload.intent;
  const dataDir = mkdtempSync(join(tmpdir(), 'auraison-replay-'));
  try {
    const env = {
      ...OFF,
      AURAISON_DAEMON_DATA_DIR: dataDir,
      AURAISON_SIM_SEED: String(settings.config.sim.seed),
    };
    const daemon = await startDaemon({ dataDir, config: settings.file, env, timeoutMs: START_MS });
    let again: string;
    try {
      again = await mission(settings, env, parts, { type, params, priority });
    } finally {
      await daemon.stop();
    }
    const reader = openEventReader(dataDir, 'runtime');
    try {
      return outcomeOf(runId, events, again, readRun(reader, again));
    } finally {
      reader.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const OFF = {
  AURAISON_ROBOT_SOURCE: 'sim',
  AURAISON_API_HOST: '127.0.0.1',
  AURAISON_API_PORT: '0',
  AURAISON_API_AUTH: 'token',
  AURAISON_ZENOH_ENABLED: 'false',
  AURAISON_RECORDER_ENABLED: 'false',
  AURAISON_RUNS_AUTO_START: '',
};

async function mission(
  settings: Settings,
  env: Readonly<Record<string, string>>,
  { host }: ReplayParts,
  request: object,
): Promise<string> {
  const api = apiClient(loadSettings(settings.file, { ...process.env, ...env }));
  const { run } = await api.post<Submitted>('/v1/intents', request);
  const until = host.monotonicMs() + MISSION_MS;
  for (;;) {
    const details = await api.get<RunDetails>(`/v1/runs/${run.run_id}`);
    if (isFinished(details.run.status)) return run.run_id;
    if (host.monotonicMs() > until)
      throw new EdgeError('deadline.exceeded', { operation: 'replay', subject: 'simulation' });
    await pause(host, POLL_MS);
  }
}

function outcomeOf(
  runId: string,
  events: readonly AgentEvent[],
  again: string,
  done: readonly AgentEvent[],
): ReplayOutcome {
  const diff = diffRuns({ runId, events }, { runId: again, events: done });
  const digest = (list: readonly AgentEvent[]) =>
    createHash('sha256')
      .update(decisionText(list) + sessionText(list))
      .digest('hex');
  const end = done.find((event) => event.kind === 'run.finished');
  return {
    run_id: runId,
    verdict: diff.identical ? 'identical' : 'changed',
    message: end?.kind === 'run.finished' ? `${end.payload.status}: ${end.payload.reason}` : 'it has no end',
    from: 1,
    attempts: 1,
    lines: diff.rows.filter((row) => row.same).length,
    recorded_sha256: digest(events),
    replayed_sha256: digest(done),
    swapped: ['sim'],
    diff,
  };
}
