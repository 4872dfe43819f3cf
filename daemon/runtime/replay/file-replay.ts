import type {
  AgentEvent,
  CellName,
  EventReader,
  ReplayApi,
  ReplayOutcome,
  ReplayRequest,
  RunDiff,
  TraceSpan,
} from '../../../contract/core.ts';
import { eachEvent } from '../../../history/each-event.ts';
import { spansOf } from '../trace/span-fold.ts';
import { swapsIn } from './forked-replay.ts';
import { readRun } from './recorded-run.ts';
import { type ReplayParts, replayRun } from './replay-run.ts';
import { diffRuns } from './run-diff.ts';

export type FileReplayParts = {
  openReader(cell: CellName): EventReader;
  /** Applications and tools as they would be loaded now; the package of the run in the version that it had. */
  load(
    reader: EventReader,
    of: { readonly name: string; readonly digest: string } | undefined,
  ): Promise<{ readonly parts: ReplayParts; readonly missing: ReadonlySet<string> }>;
  /** A replay with something live in it. */
  swapped(
    parts: ReplayParts,
    runId: string,
    request: ReplayRequest,
    signal?: AbortSignal,
  ): Promise<ReplayOutcome>;
};

/**
 * Looking back, from the log files: whether the daemon runs makes no difference. Used by processes apart from the
 * daemon: the command line, and `replay-main.ts` for the API.
 */
export class FileReplayApi implements ReplayApi {
  readonly #parts: FileReplayParts;

  constructor(parts: FileReplayParts) {
    this.#parts = parts;
  }

  async replay(runId: string, request: ReplayRequest, signal?: AbortSignal): Promise<ReplayOutcome> {
    return await this.#reading(async (reader) => {
      const { parts, missing } = await this.#parts.load(reader, packageOf(reader, runId));
      const outcome = swapsIn(request)
        ? await this.#parts.swapped(parts, runId, request, signal)
        : await replayRun(parts, runId, request.from);
      return withMissing(outcome, missing);
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
    const reader = this.#parts.openReader('execution');
    try {
      return [...eachEvent(reader, { kinds: ['motion.ended'] })].filter(({ payload }) =>
        calls.has(payload.traceparent),
      );
    } finally {
      reader.close();
    }
  }

  async #reading<T>(use: (reader: EventReader) => Promise<T>): Promise<T> {
    const reader = this.#parts.openReader('runtime');
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

/** A replay without its images is a different one, so the verdict says that they are missing. */
function withMissing(outcome: ReplayOutcome, missing: ReadonlySet<string>): ReplayOutcome {
  return missing.size === 0 ? outcome : { ...outcome, missing_blobs: [...missing] };
}
