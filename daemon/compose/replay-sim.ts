import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEventReader } from '../../adapters/event-log/index.ts';
import {
  type AgentEvent,
  EdgeError,
  type EventReader,
  isFinished,
  pause,
  type ReplayOutcome,
  type RunDetails,
  type Submitted,
} from '../../contract/core.ts';
import { type ApiClient, apiClient } from '../client/api-client.ts';
import { startDaemon } from '../client/daemon-child.ts';
import { sessionText } from '../runtime/replay/compared-line.ts';
import { readRun } from '../runtime/replay/recorded-run.ts';
import type { ReplayParts } from '../runtime/replay/replay-run.ts';
import { diffRuns } from '../runtime/replay/run-diff.ts';
import { decisionText } from '../runtime/runs/decisions.ts';
import { loadSettings, type Settings } from '../settings.ts';
import { type SimWorld, simEnvironment, writeSimConfig } from './replay-sim-config.ts';

/** A daemon is up, and a mission over, by then; milliseconds. */
const START_MS = 60_000;
const MISSION_MS = 15 * 60_000;
const POLL_MS = 250;

/**
 * The same intent on a fresh simulation: a daemon of its own in a folder of its own, with what of this
 * configuration decides how runs go, and nothing that reaches out. The world is that of the record; where it holds
 * none, that of `[sim]`. `signal` ends it.
 */
export async function simReplay(
  settings: Settings,
  parts: ReplayParts,
  runId: string,
  signal?: AbortSignal,
): Promise<ReplayOutcome> {
  const events = readRun(parts.reader, runId);
  const opened = events.find((event) => event.kind === 'intent.accepted');
  if (opened?.kind !== 'intent.accepted')
    throw new EdgeError('run.not_found', { operation: 'replay', subject: runId });
  const { type, params, priority } = opened.payload.intent;
  const world = worldOf(parts.reader, opened.seq);
  const dataDir = mkdtempSync(join(tmpdir(), 'auraison-replay-'));
  try {
    const env = simEnvironment(process.env, dataDir, world);
    const config = writeSimConfig(settings, dataDir);
    const daemon = await startDaemon({ dataDir, config, env, timeoutMs: START_MS });
    let again: string;
    try {
      const there = loadSettings(config, { ...process.env, ...env });
      // Of this environment nothing: it may name the robot itself.
      again = await mission(apiClient(there, {}), parts, { type, params, priority }, signal);
    } finally {
      await daemon.stop();
    }
    const reader = openEventReader(dataDir, 'runtime');
    try {
      const seed = world?.seed ?? settings.config.sim.seed;
      const from = world ? 'of the record' : 'of the configuration, for the log has none';
      return outcomeOf(runId, events, again, readRun(reader, again), `seed ${seed} ${from}`);
    } finally {
      reader.close();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** The world that the cell met when the run was opened; undefined: no simulation, or an older version. */
function worldOf(reader: EventReader, openedSeq: number): SimWorld | undefined {
  let world: SimWorld | undefined;
  for (let cursor = 0; ; ) {
    const starts = reader.read(cursor, 1_000, { kinds: ['cell.started'] });
    for (const event of starts) {
      if (event.seq > openedSeq) return world;
      if (event.kind === 'cell.started') world = event.payload.sim;
    }
    if (starts.length === 0) return world;
    cursor = starts.at(-1)!.seq;
  }
}

async function mission(
  api: ApiClient,
  { host }: ReplayParts,
  request: object,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { run } = await api.post<Submitted>('/v1/intents', request);
  const until = host.monotonicMs() + MISSION_MS;
  for (;;) {
    const details = await api.get<RunDetails>(`/v1/runs/${run.run_id}`);
    if (isFinished(details.run.status)) return run.run_id;
    if (host.monotonicMs() > until)
      throw new EdgeError('deadline.exceeded', { operation: 'replay', subject: 'simulation' });
    if (signal?.aborted) throw new EdgeError('run.cancelled', { operation: 'replay', subject: 'simulation' });
    await pause(host, POLL_MS, signal);
  }
}

function outcomeOf(
  runId: string,
  events: readonly AgentEvent[],
  again: string,
  done: readonly AgentEvent[],
  world: string,
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
    message: `${end?.kind === 'run.finished' ? `${end.payload.status}: ${end.payload.reason}` : 'it has no end'} (${world})`,
    from: 1,
    attempts: 1,
    lines: diff.rows.filter((row) => row.same).length,
    recorded_sha256: digest(events),
    replayed_sha256: digest(done),
    swapped: ['sim'],
    diff,
  };
}
