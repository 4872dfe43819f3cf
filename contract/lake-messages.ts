import type { BodyOf } from './bodies/kit.ts';
import type * as lake from './bodies/lake.ts';

/** Body of `lake.query`, whose answer is `LakeRows`, and of `lake.read`; absent parts: the greatest that `LIMITS` allow. */
export type LakeQueryRequest = BodyOf<typeof lake.LakeQueryRequest>;

/** The caller: streamed answers are counted for each. Absent: the daemon itself. */
export type LakeAsker = BodyOf<typeof lake.LakeAsker>;

/** Answer of `lake.read`: the statement is open until its last page, `lake.read_close` or a while without a question. */
export type LakeReadReply = BodyOf<typeof lake.LakeReadReply>;
/** Body of `lake.read_next`, whose answer is a `LakePage`, and of `lake.read_close`. */
export type LakeReadRequest = BodyOf<typeof lake.LakeReadRequest>;

/**
 * Answer of `lake.sync` (what the logs held when it was asked is projected) and of `lake.rebuild` (and that
 * again from nothing): the position reached in each log that exists.
 */
export type LakeSyncReply = BodyOf<typeof lake.LakeSyncReply>;
