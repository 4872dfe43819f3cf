import { createHash } from 'node:crypto';
import { openEventReader } from '../../adapters/event-log/index.ts';
import type {
  AgentEvent,
  Clock,
  EventReader,
  ReplayApi,
  ReplayOutcome,
  ReplayRequest,
  RunDiff,
  TraceSpan,
} from '../../contract/core.ts';
import { readRun } from '../runtime/replay/recorded-run.ts';
import { type ReplayParts, replayRun } from '../runtime/replay/replay-run.ts';
import { diffRuns } from '../runtime/replay/run-diff.ts';
import { spansOf } from '../runtime/trace/span-fold.ts';
import type { Settings } from '../settings.ts';
import { swapsIn } from './replay-child.ts';

const READ_BATCH = 1_000;

/**
 * Looking back, from the log files: whether the daemon runs makes no difference. Used by processes apart from the
 * daemon: the command line, and `replay-main.ts` for the API.
 */
export class FileReplayApi implements ReplayApi {
  readonly #settings: Settings;
  readonly #clock: Clock;

  constructor(settings: Settings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  async replay(runId: string, request: ReplayRequest, signal?: AbortSignal): Promise<ReplayOutcome> {
    return await this.#reading(async (reader) => {
      // Loaded only here: comparing and tracing need no application.
      const { loadedForReplay } = await import('./replay-apps.ts');
      const { missing, ...loaded } = await loadedForReplay(
        this.#settings,
        this.#clock,
        packageOf(reader, runId),
      );
      const parts: ReplayParts = {
        reader,
        host: this.#clock,
        ...loaded,
        sha256: (text) => createHash('sha256').update(text).digest('hex'),
      };
      if (!swapsIn(request)) return withMissing(await replayRun(parts, runId, request.from), missing);
      const { swappedReplay } = await import('./replay-swaps.ts');
      return withMissing(await swappedReplay(this.#settings, parts, runId, request, signal), missing);
    });
  }

  async diff(a: string, b: string): Promise<RunDiff> {
    return await this.#reading(async (reader) =>
      diffRuns({ runId: a, events: readRun(reader, a) }, { runId: b, events: readRun(reader, b) }),
    );
  }

  async trace(runId: string): Promise<readonly TraceSpan[]> {
    return await this.#reading(async (reader) => {
      const events = readRun(reader, runId);
      const motions = this.#motionsOf(events);
      return spansOf([...events, ...motions]);
    });
  }

  /** Motions are in the log of the execution cell; those of this run carry its trace. */
  #motionsOf(events: readonly AgentEvent[]): AgentEvent[] {
    const calls = new Set(
      events.flatMap((event) => (event.kind === 'tool.called' ? [event.payload.traceparent] : [])),
    );
    const reader = openEventReader(this.#settings.dataDir, 'execution');
    try {
      const found: AgentEvent[] = [];
      for (let cursor = 0; ; ) {
        const batch = reader.read(cursor, READ_BATCH, { kinds: ['motion.ended'] });
        if (batch.length === 0) return found;
        for (const event of batch)
          if (event.kind === 'motion.ended' && calls.has(event.payload.traceparent)) found.push(event);
        cursor = batch.at(-1)!.seq;
      }
    } finally {
      reader.close();
    }
  }

  async #reading<T>(use: (reader: EventReader) => Promise<T>): Promise<T> {
    const reader = openEventReader(this.#settings.dataDir, 'runtime');
    try {
      return await use(reader);
    } finally {
      reader.close();
    }
  }
}

/** The package that a run started with; undefined of an application that came with the daemon. */
function packageOf(reader: EventReader, runId: string): { name: string; digest: string } | undefined {
  const [queued] = reader.read(0, 1, { runId, kinds: ['run.queued'] });
  if (queued?.kind !== 'run.queued') return undefined;
  const { app: name, package: pkg } = queued.payload;
  return pkg && { name, digest: pkg.digest };
}

/** A replay without its pictures is a different one, so the verdict says that they are missing. */
function withMissing(outcome: ReplayOutcome, missing: ReadonlySet<string>): ReplayOutcome {
  return missing.size === 0 ? outcome : { ...outcome, missing_blobs: [...missing] };
}
