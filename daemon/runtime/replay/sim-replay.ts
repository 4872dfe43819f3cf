import { createHash } from 'node:crypto';
import {
  type AgentEvent,
  EdgeError,
  type EventPayload,
  type EventReader,
  isFinished,
  pause,
  type ReplayOutcome,
  type RunDetails,
} from '../../../contract/core.ts';
import { eachEvent } from '../../../history/each-event.ts';
import { decisionText } from '../runs/decisions.ts';
import { sessionText } from './compared-line.ts';
import { readRun } from './recorded-run.ts';
import type { ReplayParts } from './replay-run.ts';
import { diffRuns } from './run-diff.ts';

/** A mission is over by then, milliseconds. */
const MISSION_MS = 15 * 60_000;
const POLL_MS = 250;

/** What a simulation was made of: kind, seed, sizes and pace. */
export type SimWorld = NonNullable<EventPayload<'cell.started'>['sim']>;

/** A daemon of its own with a fresh simulation. */
export type FreshDaemon = {
  /** Sends an intent; answers the id of its run. */
  submit(request: object): Promise<string>;
  run(runId: string): Promise<RunDetails>;
  stop(): Promise<void>;
  /** Its log, after `stop`. */
  openReader(): EventReader;
};

export type SimReplayParts = {
  /** Seed of the configuration, for records that do not have theirs. */
  readonly seed: number;
  /** With a fresh world; undefined: that of the configuration. */
  start(world: SimWorld | undefined): Promise<FreshDaemon>;
};

/**
 * The same intent on a fresh simulation: a daemon of its own, with what of this configuration decides how runs go, and
 * nothing that reaches out. The world is that of the record; where it holds none, that of `[sim]`. `signal` ends it.
 */
export async function simReplay(
  { seed, start }: SimReplayParts,
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
  const daemon = await start(world);
  let again: string;
  try {
    again = await mission(daemon, parts, { type, params, priority }, signal);
  } finally {
    await daemon.stop();
  }
  const reader = daemon.openReader();
  try {
    const from = world ? 'of the record' : 'of the configuration, for the log has none';
    const done = readRun(reader, again);
    return outcomeOf(runId, events, again, done, `seed ${world?.seed ?? seed} ${from}`);
  } finally {
    reader.close();
  }
}

/** The world that the cell met when the run was opened; undefined: no simulation, or an older version. */
function worldOf(reader: EventReader, openedSeq: number): SimWorld | undefined {
  let world: SimWorld | undefined;
  for (const { seq, payload } of eachEvent(reader, { kinds: ['cell.started'] })) {
    if (seq > openedSeq) break;
    world = payload.sim;
  }
  return world;
}

async function mission(
  daemon: FreshDaemon,
  { host }: ReplayParts,
  request: object,
  signal: AbortSignal | undefined,
): Promise<string> {
  const again = await daemon.submit(request);
  const until = host.monotonicMs() + MISSION_MS;
  for (;;) {
    const { run } = await daemon.run(again);
    if (isFinished(run.status)) return again;
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
