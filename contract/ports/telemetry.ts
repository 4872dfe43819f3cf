import type { TraceSpan } from './replay.ts';

/**
 * Where spans go. `export` takes finished spans and resolves when the receiver has stored them; it rejects with
 * `link.unreachable` (again later: the same spans may come twice, under the same ids) or `link.refused` (never:
 * these spans are not taken). It settles by a deadline of its own. `close` lets go; it never rejects.
 */
export interface SpanExporter {
  readonly name: string;
  export(spans: readonly TraceSpan[]): Promise<void>;
  close(): Promise<void>;
}

/** What became of the spans of one cell since its start. */
export type TelemetryStats = {
  readonly exported: number;
  /** Older than they are kept for, or refused. */
  readonly dropped: number;
  readonly failures: number;
};
