import type { BodyOf } from '../bodies/kit.ts';
import type * as recall from '../bodies/recall.ts';
import type { CellName } from '../cell-name.ts';
import type { RecallKind } from '../recall-limits.ts';
import type { LakeCursor } from './lake.ts';

export type RecallRequest = BodyOf<typeof recall.RecallRequest>;
export type RecallAsker = BodyOf<typeof recall.RecallAsker>;
export type RecallAnswer = BodyOf<typeof recall.RecallAnswer>;
export type RecallAgain = BodyOf<typeof recall.RecallAgain>;
export type RecallStatus = BodyOf<typeof recall.RecallStatus>;
export type RecallHow = BodyOf<typeof recall.RecallHow>;
export type FoundText = BodyOf<typeof recall.RecallText>;

/** A text that may be found. */
export type RecallText = {
  /** Starts with its kind and a colon; the last text of an id counts. */
  readonly id: string;
  readonly kind: RecallKind;
  /** Who may find it. Empty: not known, so that only the owner of the robot does. */
  readonly tenant: string;
  /** Microseconds since the Unix epoch. */
  readonly atUs: number;
  readonly source: string;
  readonly text: string;
  /** The event that it came with, in the log of its cell; absent: it came from a file. */
  readonly from?: { readonly cell: CellName; readonly seq: number };
};

/** Which texts a search sees. */
export type RecallFilter = {
  /** Only texts of this tenant; absent: all. */
  readonly tenant?: string;
  readonly kinds: readonly RecallKind[];
  /** Microseconds since the Unix epoch, both inclusive. */
  readonly sinceUs?: number;
  readonly untilUs?: number;
};

/** A text within the index: its row, and how well it fits (more is better). */
export type RankedRow = { readonly row: number; readonly rank: number };

/** Changes of one transaction. `hold` keeps what later events need (a question until its answer), by a key. */
export interface RecallBatch {
  put(text: RecallText): void;
  /** Texts whose id is one of these go. */
  remove(ids: readonly string[]): void;
  held(key: string): string | undefined;
  hold(key: string, value: string | undefined): void;
  /** `undefined`: the log is read from its start. */
  reach(cell: CellName, cursor: LakeCursor | undefined): void;
}

/**
 * An index of texts by words and by vectors, a projection that can be dropped and filled again. Each call is one short
 * piece of work: a caller that does much does it in many calls. A batch is whole or not there. All throw `lake.failed`.
 */
export interface RecallIndex {
  batch(work: (batch: RecallBatch) => void): void;
  cursor(cell: CellName): LakeCursor | undefined;
  held(key: string): string | undefined;
  /** Keys that start so, with their values. */
  heldFrom(prefix: string): readonly { readonly key: string; readonly value: string }[];
  /** Best first; a rank of 1: the text has all of the words, 0: none that is rare. `words` are letters and digits only. */
  byWords(words: readonly string[], filter: RecallFilter, limit: number): readonly RankedRow[];
  newest(filter: RecallFilter, limit: number): readonly RankedRow[];
  /** How near each of the next `limit` texts above row `after` is, from -1 to 1, and the last row that was looked at; `undefined`: it was the last. */
  nearness(
    vector: Float32Array,
    filter: RecallFilter,
    after: number,
    limit: number,
  ): { readonly rows: readonly RankedRow[]; readonly last: number | undefined };
  /** In the order of `rows`. */
  texts(rows: readonly number[]): readonly (RecallText & { readonly row: number; readonly sha256: string })[];
  /** The digest of the text that has this id; `undefined`: none has. */
  digestOf(id: string): string | undefined;
  /** Up to `limit` texts without a vector, the newest first, each text once; empty: all have one. */
  withoutVector(limit: number): readonly { readonly sha256: string; readonly text: string }[];
  putVectors(vectors: readonly { readonly sha256: string; readonly vector: Float32Array }[]): void;
  /** Vectors of another model go, some at a time; true while there are more. */
  takeModel(sha256: string, limit: number): boolean;
  counts(): { readonly texts: number; readonly waiting: number };
  /** Removes up to `limit` texts that the logs and files can give again; true while there are more. */
  drop(keepThrough: Readonly<Partial<Record<CellName, number>>>, limit: number): boolean;
  /** Removes up to `limit` vectors that no text has; true while there are more. */
  sweep(limit: number): boolean;
  close(): void;
}
