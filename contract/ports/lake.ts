import type { AgentEvent } from '../agent-event.ts';
import type { CellName } from '../cell-name.ts';

export type LakeRows = {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
};

export type LakeInfo = {
  /** `ducklake` or, where the extension cannot be had, `duckdb` with the same tables. */
  readonly kind: 'ducklake' | 'duckdb';
  readonly why: string;
  readonly path: string;
};

/**
 * The lakehouse: read models of the logs. `project` writes the rows of a batch and the new cursor of its cell
 * in one transaction, after the files are fsynced; a batch that was already projected is skipped, so it may
 * be called again after any failure. `query` takes one read-only statement and rejects with `lake.failed`
 * (the engine's message) or `deadline.exceeded`. `rebuild` drops every projection and its cursors.
 */
export interface Lake {
  info(): LakeInfo;
  project(cell: CellName, events: readonly AgentEvent[]): Promise<void>;
  cursors(): Promise<Readonly<Partial<Record<CellName, number>>>>;
  query(sql: string, options: { readonly limit: number; readonly timeoutMs: number }): Promise<LakeRows>;
  rebuild(): Promise<void>;
  close(): Promise<void>;
}
