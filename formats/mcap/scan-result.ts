import type { EdgeError, Nanoseconds } from '../../contract/core.ts';
import type { Definitions } from './definitions.ts';
import type { FoundIndex } from './found-index.ts';
import { malformed } from './malformed.ts';
import type { ChunkIndex } from './records.ts';
import type { Summary } from './summary.ts';

/** The result of a walk through a file from its first byte. */
export type Scan = {
  /** Of everything that can be read, without `tail`. */
  readonly summary: Summary;
  readonly definitions: Definitions;
  /** Which definitions were in force at the start of a chunk. */
  readonly versions: ReadonlyMap<ChunkIndex, number>;
  /** The chunks of the summary. */
  readonly chunks: readonly FoundIndex[];
  /** A header record was read. */
  readonly hasHeader: boolean;
  /** The file ends with footer and magic and nothing before them is wrong. */
  readonly complete: boolean;
  /** End of the last whole record of the data section. */
  readonly goodEnd: number;
  /** What is wrong first, naming the byte; undefined when complete. */
  readonly fault: EdgeError | undefined;
  /** Why the walk ended before the end of the data. */
  readonly endFault: EdgeError | undefined;
  /** Every message of the file is in the result: only what stands behind the data is wrong. */
  readonly hasAllData: boolean;
  /** The last chunk if its message indexes are not all there. */
  readonly unindexed: FoundIndex | undefined;
  /** Messages outside chunks, where they stand; no index can name them. */
  readonly loose: readonly LooseMessage[];
  /** Parts of the file that cannot be read, in its order. */
  readonly holes: readonly Hole[];
  /** Indexes that belong to no chunk, and the ends of files within this one: other readers stop there. */
  readonly strays: readonly Region[];
  /** What can be read of the chunk in which the file ends. */
  readonly tail: Tail | undefined;
};

/** A message record outside chunks: where it stands, with its head. */
export type LooseMessage = {
  readonly offset: number;
  readonly length: number;
  readonly channelId: number;
  readonly logTime: Nanoseconds;
  readonly version: number;
};

/** From its first byte to the one behind it. */
export type Region = { readonly at: number; readonly end: number };

/** Bytes that cannot be read. */
export type Hole = {
  readonly at: number;
  readonly length: number;
  readonly fault: EdgeError;
  /** It is exactly one chunk: then its message indexes say what it held. */
  readonly isChunk: boolean;
  readonly version: number;
  /** Where the message indexes of the chunk stand, by channel id. */
  readonly indexes: Map<number, number>;
  /** Bytes of these indexes, directly behind it. */
  indexLength: number;
};

/** The whole records of the last chunk, of which the file holds only the start; no CRC covers them. */
export type Tail = {
  readonly at: number;
  readonly contents: Uint8Array;
  readonly version: number;
  readonly counts: ReadonlyMap<number, number>;
  readonly startTime: Nanoseconds;
  readonly endTime: Nanoseconds;
};

export function unknownChannel(subject: string, at: number, id: number, count: number): EdgeError {
  return malformed(subject, at, `${count} messages belong to the unknown channel ${id}`);
}
