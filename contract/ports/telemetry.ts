import type { TraceSpan } from './replay.ts';

/**
 * Where spans go. `export` takes finished spans and resolves when the receiver has stored them; it rejects with
 * `link.unreachable` (try again later: the same spans may come twice, under the same ids) or `link.refused` (do not try
 * again: these spans are not accepted). It settles by a deadline of its own. `close` frees everything; it never
 * rejects.
 */
export interface SpanExporter {
  readonly name: string;
  export(spans: readonly TraceSpan[]): Promise<void>;
  close(): Promise<void>;
}

/** What became of the spans of one cell since its start. */
export type TelemetryStats = {
  readonly exported: number;
  /** Spans dropped because they were too old, or refused. */
  readonly dropped: number;
  readonly failures: number;
};
