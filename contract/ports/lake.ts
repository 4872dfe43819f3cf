import type { AgentEvent } from '../agent-event.ts';
import type { BodyOf } from '../bodies/kit.ts';
import type * as lake from '../bodies/lake.ts';
import type { CellName } from '../cell-name.ts';
import type { EdgeError } from '../edge-error.ts';
import type { Nanoseconds } from '../nanoseconds.ts';
import type { AppliedAction } from './controllers.ts';

export type LakeColumn = BodyOf<typeof lake.LakeColumn>;

/** Limits of one statement; the greatest values are in `LIMITS`. */
export type LakeAsk = {
  /** Rows. */
  readonly limit: number;
  /** Time of the engine, milliseconds. */
  readonly timeoutMs: number;
  /** Bytes of an answer; absent: `LAKE_ANSWER_BYTES_MAX`. */
  readonly bytes?: number;
  /** Bytes of one value; absent: `LAKE_VALUE_BYTES_MAX`. */
  readonly valueBytes?: number;
  /** The caller: each has only some of the places for statements. Absent: this daemon itself. */
  readonly by?: string;
  /** The caller is a guest, of another tenant: recordings of this robot are not shared with it. */
  readonly isGuest?: boolean;
};

/** One message as it lies in a segment. */
export type RecordedMessage = {
  readonly topic: string;
  readonly type: string;
  /** `ros2msg` text with its dependencies; undefined where the file carries none. */
  readonly definition: string | undefined;
  /** `cdr` is read here. */
  readonly encoding: string;
  readonly sequence: number;
  readonly logTime: Nanoseconds;
  readonly publishTime: Nanoseconds;
  readonly bytes: Uint8Array;
};

/** A table of messages: those whose topic fits one of the patterns and whose type is one of `types`; empty: any. */
export type TopicTable = {
  readonly table: string;
  readonly topics: readonly string[];
  readonly types: readonly string[];
};

export type RecordedRange = {
  readonly topics?: ReadonlySet<string>;
  /** Which of the channels of the file; asked once for each, before anything is read of it. */
  readonly wants?: (topic: string, type: string) => boolean;
  /** Log time, inclusive. */
  readonly startNs?: Nanoseconds | undefined;
  /** Log time, exclusive. */
  readonly endNs?: Nanoseconds | undefined;
  /** A part that cannot be read and is left out, with how many messages of each topic are lost, where that is known. */
  readonly onDamage: (fault: EdgeError, lost?: ReadonlyMap<string, number>) => void;
};

/**
 * Messages of one segment (path relative to the data directory) by log time. Throws `bag.malformed` or
 * `mcap.malformed` where nothing of it can be read, and what the file system says as it is.
 */
export type OpenRecorded = (path: string, range: RecordedRange) => AsyncIterable<RecordedMessage>;

/** Statements that the engine still computes although they were interrupted. */
export type LakeOverdue = {
  readonly count: number;
  /** Number of the first of them; statements are counted since the lake was opened. 0: no statement is. */
  readonly oldest: number;
};

export type LakeRows = BodyOf<typeof lake.LakeRows>;

/** Some of the rows of a statement; with `end`, the last of them. */
export type LakePage = BodyOf<typeof lake.LakePage>;

/** An open statement. Only a few may be open: the caller that opens one closes it, also after an error. */
export interface LakeReader {
  readonly columns: readonly LakeColumn[];
  /** The next rows, up to `bytes` of values, but one row at least. Rejects as `query` does. */
  next(bytes: number): Promise<LakePage>;
  /** May be called twice; a running statement is not interrupted. */
  close(): Promise<void>;
}

/** How far one log is projected. `epoch` is the id of the log's first event: another one means another log. */
export type LakeCursor = {
  readonly epoch: string;
  readonly seq: number;
  /**
   * Hash of the event at `seq`: where the log has another one there, the rows of the lake do not belong to this log.
   */
  readonly hash: string;
};

export type LakeInfo = BodyOf<typeof lake.LakeInfo>;
export type LakePlace = BodyOf<typeof lake.LakePlace>;
export type LakeMove = BodyOf<typeof lake.LakeMove>;
export type MovedTable = BodyOf<typeof lake.MovedTable>;

/** A sealed segment that is still there and whose control steps the lake does not have; by the event of its sealing. */
export type UnreadSegment = {
  readonly cell: CellName;
  readonly epoch: string;
  readonly seq: number;
  /** Relative to the data directory. */
  readonly path: string;
  readonly sha256: string;
  /** Its topics that start with the requested prefix. */
  readonly topics: readonly string[];
};

/** Part of the content of a segment, by time. */
export type StepBatch = {
  /** Steps of this segment that were added before; 0 starts it again, whatever was added. */
  readonly from: number;
  readonly steps: readonly AppliedAction[];
  /**
   * Set with the last piece, after which the segment counts as read. `fault`: why parts could not be read, or empty.
   */
  readonly end?: { readonly fault: string; readonly unreadable: number };
};

/**
 * The lakehouse: read models of the logs. `project` writes the rows of a batch and the new cursor of its cell in one
 * transaction, after the files are fsynced; what was already projected is skipped, so it may be called again after any
 * failure. Events must continue the cursor without a gap (else `lake.failed`, nothing was written), or start at seq 1:
 * another first event than the cursor's epoch is a new log of that cell, whose rows stand beside those of the old one.
 * `query` takes one read-only statement and rejects with `lake.failed` (the engine's message), `deadline.exceeded`,
 * `cell.overloaded` (too many statements) or `limit.exceeded` (one row is larger than any answer may be); `read`
 * returns the same rows page by page. Bytes are counted before a value is converted: a value that is not returned costs
 * nothing. `rebuild` drops every projection and its cursors; with a cell, only those of the current log of that cell.
 *
 * Events up to `cutThrough` may be missing: they were removed from the log. `rebuild` with `keepThrough` keeps the rows
 * of such events, which no log can give again.
 *
 * The content of segments is read separately: `unreadSegments` gives the oldest of them, `addSteps` takes the control
 * steps of one segment at a time, bounded in memory. A segment counts as read when its last piece is durable;
 * interrupted before, it is started again. A step that came with another segment (a clip is cut out of others) counts
 * once; one without a `motion_id`, which is alike in all sessions of a simulation, only where one of the two is a
 * clip. When a segment is evicted its steps go with it, unless another segment has them too. `addSteps` resolves to
 * false where the rest is not wanted: the segment is gone, or was asked for again from its start.
 */
export interface Lake {
  info(): LakeInfo;
  project(cell: CellName, events: readonly AgentEvent[], cutThrough?: number): Promise<void>;
  cursors(): Promise<Readonly<Partial<Record<CellName, LakeCursor>>>>;
  query(sql: string, ask: LakeAsk): Promise<LakeRows>;
  read(sql: string, ask: LakeAsk): Promise<LakeReader>;
  rebuild(cell?: CellName, keepThrough?: number): Promise<void>;
  overdue(): LakeOverdue;
  unreadSegments(topicsBegin: string, limit: number): Promise<readonly UnreadSegment[]>;
  addSteps(segment: UnreadSegment, batch: StepBatch): Promise<boolean>;
  /** Reads messages of sealed segments into the tables of topics for a while; true when there is more to do. */
  readTopics?(isOver: () => boolean): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * A copy of an open lake to another place. Slices that are equal on both sides are skipped, so one that was interrupted
 * continues. `copy` may run while the lake is written to; it resolves to the slices that differed. `finish` copies what
 * is left while nothing is written to the lake, proves each table equal, and resolves to the lake in its new place,
 * from where it is opened from then on; what the old place held is removed by `retire`. `abandon` lets go of both.
 */
export interface LakeMover {
  copy(isOver: () => boolean): Promise<number>;
  finish(): Promise<{ readonly lake: Lake; readonly tables: readonly MovedTable[] }>;
  /** After the old lake is closed. */
  retire(): Promise<void>;
  abandon(): Promise<void>;
  /** What is equal on both sides so far. */
  progress(): { readonly slices: number; readonly of: number; readonly copied: number };
}
