import type { AgentEvent } from '../agent-event.ts';
import type { CellName } from '../cell-name.ts';

export type LakeRows = {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
};

/** How far one log is projected. `epoch` is the id of the log's first event: another one means another log. */
export type LakeCursor = {
  readonly epoch: string;
  readonly seq: number;
  /** Hash of the event at `seq`: where the log has another one there, the lake does not tell its story. */
  readonly hash: string;
};

export type LakeInfo = {
  /** `ducklake` or, where the extension cannot be had, `duckdb` with the same tables. */
  readonly kind: 'ducklake' | 'duckdb';
  readonly why: string;
  readonly path: string;
};

/**
 * The lakehouse: read models of the logs. `project` writes the rows of a batch and the new cursor of its cell
 * in one transaction, after the files are fsynced; what was already projected is skipped, so it may be called
 * again after any failure. Events must continue the cursor without a gap (else `lake.failed`, nothing was
 * written), or begin at seq 1: another first event than the cursor's epoch is a new log of that cell, whose
 * rows stand beside those of the old one. `query` takes one read-only statement and rejects with `lake.failed`
 * (the engine's message) or `deadline.exceeded`. `rebuild` drops every projection and its cursors; with a
 * cell, only those of the current log of that cell.
 */
export interface Lake {
  info(): LakeInfo;
  project(cell: CellName, events: readonly AgentEvent[]): Promise<void>;
  cursors(): Promise<Readonly<Partial<Record<CellName, LakeCursor>>>>;
  query(sql: string, options: { readonly limit: number; readonly timeoutMs: number }): Promise<LakeRows>;
  rebuild(cell?: CellName): Promise<void>;
  close(): Promise<void>;
}
