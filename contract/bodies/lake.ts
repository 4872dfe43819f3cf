import { Type } from 'typebox';
import {
  ask,
  byName,
  count,
  done,
  flag,
  list,
  maybe,
  measured,
  nothing,
  number,
  oneOf,
  reply,
  text,
} from './kit.ts';

/** The caller: streamed answers are counted for each. */
export const LakeAsker = reply({ tenant: text, principal: text });
/** `by` absent: the house itself; other absent parts: the greatest that `LIMITS` allow. */
export const LakeQueryRequest = ask({
  sql: text,
  by: Type.Optional(LakeAsker),
  /** Rows. */
  limit: Type.Optional(number),
  /** Time of the engine, milliseconds. */
  timeoutMs: Type.Optional(number),
  /** Bytes of an answer; absent: `LAKE_ANSWER_BYTES_MAX`. */
  bytes: Type.Optional(number),
  /** Bytes of one value; absent: `LAKE_VALUE_BYTES_MAX`. */
  valueBytes: Type.Optional(number),
});
export const LakeColumn = reply({ name: text, type: text });
const columns = list(LakeColumn);
const page = {
  rows: list(Type.Array(Type.Unknown())),
  /** Size of the values in these rows, as the engine holds them. */
  bytes: measured,
  /** Number of values that were too long. Of a text its start is returned, of a nested value nothing, with a mark. */
  cut: count,
};
/** True if there are more rows; `reason` says which limit was reached, and is empty otherwise. */
const ending = {
  truncated: flag,
  reason: text,
  /** What is missing of recordings that the statement read: damaged or deleted segments. */
  notes: Type.Optional(list(text)),
};
export const LakeRows = reply({ columns, ...page, ...ending });
/** Some of the rows of a statement; with `end`, the last of them. */
export const LakePage = reply({ ...page, end: Type.Optional(reply(ending)) });
/** The statement is open until its last page, `lake.read_close` or a while without a question. */
export const LakeReadReply = reply({ readId: text, columns });
export const LakeReadRequest = ask({ readId: text });

/** The position reached in each log that exists. */
export const LakeSyncReply = reply({
  projected: Type.Unsafe<Readonly<Partial<Record<'execution' | 'runtime' | 'memory' | 'link', number>>>>(
    byName(count),
  ),
});

/** In the data directory, or on the servers of `lake.catalog` and `lake.storage`. */
export const LakePlace = oneOf(['embedded', 'remote']);
/** One table of a lake that was moved: equal digests on both sides, over all rows and columns. */
export const MovedTable = reply({ name: text, rows: count, digest: text });
/**
 * A move of the lake, the one that runs or the last one since the start. `slices`: pieces that are equal on both sides, of
 * `of`; `copied`: rows that were copied since the start; `tables`: the proof, at the end; `reason`: why it is tried again.
 */
export const LakeMove = reply({
  to: LakePlace,
  state: oneOf(['copying', 'waiting', 'done']),
  slices: count,
  of: count,
  copied: count,
  reason: text,
  tables: list(MovedTable),
});
export const LakeMoveRequest = ask({ to: LakePlace });

export const LakeInfo = reply({
  /** `ducklake` or, where the extension is not available, `duckdb` with the same tables. */
  kind: oneOf(['ducklake', 'duckdb']),
  why: text,
  /** Of the catalogue, or `s3://` of the files. */
  path: text,
  place: Type.Optional(LakePlace),
});
export const MemoryStatus = reply({
  ready: flag,
  lake: maybe(LakeInfo),
  lag: byName(number),
  reason: text,
  move: Type.Optional(LakeMove),
});

const link = {
  ready: flag,
  state: oneOf(['off', 'connected', 'disconnected']),
  reason: text,
  /** `sent`: last sequence that central acknowledged; `fault`: why this lane is stopped until a person intervenes. */
  lanes: byName(reply({ sent: number, last: number, fault: Type.Optional(text) })),
  /** Orders from central, where they are taken: those that wait here, and runs whose end is still to be reported. */
  downlink: Type.Optional(
    reply({ state: oneOf(['connected', 'disconnected']), reason: text, waiting: count, open: count }),
  ),
  /** The way through a broker, where one is configured. `refused`: messages on the topics of this robot that central did not sign. */
  broker: Type.Optional(reply({ state: oneOf(['connected', 'disconnected']), reason: text, refused: count })),
  /**
   * Files, where they are sent. `lanes`: files and bytes that wait, that central holds, and files that went before; `current`:
   * the one on its way, bytes sent and bytes a second; `left_s`: seconds for all that wait, at this rate; `reason`: why
   * nothing goes or not all lanes do; `faults`: files that cannot be sent, by path.
   */
  files: Type.Optional(
    reply({
      lanes: byName(
        reply({ waiting: count, waiting_bytes: count, held: count, held_bytes: count, gone: count }),
      ),
      current: Type.Optional(reply({ path: text, lane: text, bytes: count, sent: count, rate: count })),
      left_s: Type.Optional(count),
      reason: text,
      faults: byName(text),
    }),
  ),
};
export const LinkStatus = reply(link);
/** Settles when everything logged before it is acknowledged, at the latest at the deadline. */
export const LinkSyncRequest = ask({ timeoutMs: Type.Optional(number) });
/** `behind`: events that were logged before the request and are not acknowledged yet. */
export const LinkSyncReply = reply({ ...link, behind: count });

export const LAKE_BODIES = {
  'memory.status': { ask: nothing, reply: MemoryStatus },
  'lake.query': { ask: LakeQueryRequest, reply: LakeRows },
  'lake.read': { ask: LakeQueryRequest, reply: LakeReadReply },
  'lake.read_next': { ask: LakeReadRequest, reply: LakePage },
  'lake.read_close': { ask: LakeReadRequest, reply: done },
  'lake.sync': { ask: nothing, reply: LakeSyncReply },
  'lake.rebuild': { ask: nothing, reply: LakeSyncReply },
  'lake.move': { ask: LakeMoveRequest, reply: LakeMove },
  'link.status': { ask: nothing, reply: LinkStatus },
  'link.sync': { ask: LinkSyncRequest, reply: LinkSyncReply },
} as const;
