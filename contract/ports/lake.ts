import type { AgentEvent } from '../agent-event.ts';
import type { CellName } from '../cell-name.ts';
import type { AppliedAction } from './controllers.ts';

export type LakeColumn = { readonly name: string; readonly type: string };

/** What one question may cost; the greatest values stand in `LIMITS`. */
export type LakeAsk = {
  /** Rows. */
  readonly limit: number;
  /** Time of the engine, milliseconds. */
  readonly timeoutMs: number;
  /** Bytes of an answer; absent: `LAKE_ANSWER_BYTES_MAX`. */
  readonly bytes?: number;
  /** Bytes of one value; absent: `LAKE_VALUE_BYTES_MAX`. */
  readonly valueBytes?: number;
};

export type LakeRows = {
  readonly columns: readonly LakeColumn[];
  readonly rows: readonly (readonly unknown[])[];
  /** There are more rows; `reason` says which limit was met, and is empty otherwise. */
  readonly truncated: boolean;
  readonly reason: string;
  /** Of the values in these rows, as the engine holds them. */
  readonly bytes: number;
  /** Values that were too long: the beginning of a text, or nothing of a nested value, and a mark. */
  readonly cut: number;
};

/** Some of the rows of a statement; with `end`, the last of them. */
export type LakePage = Pick<LakeRows, 'rows' | 'bytes' | 'cut'> & {
  readonly end?: Pick<LakeRows, 'truncated' | 'reason'>;
};

/** An open statement. It holds one of few places: who opens it closes it, also after an error. */
export interface LakeReader {
  readonly columns: readonly LakeColumn[];
  /** The next rows, up to `bytes` of values, but one row at least. Rejects as `query` does. */
  next(bytes: number): Promise<LakePage>;
  /** May be called twice; what runs is not interrupted. */
  close(): Promise<void>;
}

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

/** A sealed segment that is still there and whose control steps the lake does not have; by the event of its sealing. */
export type UnreadSegment = {
  readonly cell: CellName;
  readonly epoch: string;
  readonly seq: number;
  /** Relative to the data directory. */
  readonly path: string;
  readonly sha256: string;
  /** Those of its topics that begin as was asked. */
  readonly topics: readonly string[];
};

/** A piece of what a segment holds, by time. */
export type StepBatch = {
  /** Steps of this segment that were told before; 0 begins it anew, whatever was told of it. */
  readonly from: number;
  readonly steps: readonly AppliedAction[];
  /** The last piece: then the segment is read. `fault`: why it could not be read whole, or empty. */
  readonly end?: { readonly fault: string; readonly unreadable: number };
};

/**
 * The lakehouse: read models of the logs. `project` writes the rows of a batch and the new cursor of its cell
 * in one transaction, after the files are fsynced; what was already projected is skipped, so it may be called
 * again after any failure. Events must continue the cursor without a gap (else `lake.failed`, nothing was
 * written), or begin at seq 1: another first event than the cursor's epoch is a new log of that cell, whose
 * rows stand beside those of the old one. `query` takes one read-only statement and rejects with `lake.failed`
 * (the engine's message), `deadline.exceeded`, `cell.overloaded` (too many statements) or `limit.exceeded` (one row is
 * larger than any answer may be); `read` hands the same rows out page by page. Bytes are counted before a value is
 * converted: what is not handed out costs nothing. `rebuild` drops every projection and its cursors; with a
 * cell, only those of the current log of that cell.
 *
 * Events up to `cutThrough` may be missing: they were removed from the log. `rebuild` with `keepThrough` keeps the rows of
 * such events, which no log can tell again.
 *
 * What segments hold is read beside it: `unreadSegments` gives the oldest of them, `addSteps` takes the control steps
 * of one segment at a time, bounded in memory. A segment counts as read when its last piece is durable; cut off
 * before, it is begun anew. A step that another segment told (a clip is cut out of others) counts once; one without a
 * `motion_id`, which sessions of a simulation tell alike, only where one of the two is a clip. When a segment is
 * evicted its steps go with it, unless another segment has them too. `addSteps` resolves to false where the rest is
 * not wanted: the segment is gone, or was asked for again from its beginning.
 */
export interface Lake {
  info(): LakeInfo;
  project(cell: CellName, events: readonly AgentEvent[], cutThrough?: number): Promise<void>;
  cursors(): Promise<Readonly<Partial<Record<CellName, LakeCursor>>>>;
  query(sql: string, ask: LakeAsk): Promise<LakeRows>;
  read(sql: string, ask: LakeAsk): Promise<LakeReader>;
  rebuild(cell?: CellName, keepThrough?: number): Promise<void>;
  unreadSegments(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]>;
  addSteps(segment: UnreadSegment, batch: StepBatch): Promise<boolean>;
  close(): Promise<void>;
}
