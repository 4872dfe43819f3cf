import type { CellName } from './cell-name.ts';
import type { PolicyContext } from './intent.ts';
import type { LakeAsk, LakeColumn } from './ports/lake.ts';

/** Body of `lake.query`, whose answer is `LakeRows`, and of `lake.read`; absent parts: the greatest that `LIMITS` allow. */
export type LakeQueryRequest = { readonly sql: string; readonly by?: LakeAsker } & Partial<LakeAsk>;

/** Who asks: streamed answers are counted for each. Absent: the house itself. */
export type LakeAsker = Pick<PolicyContext, 'tenant' | 'principal'>;

/** Answer of `lake.read`: the statement is open until its last page, `lake.read_close` or a while without a question. */
export type LakeReadReply = { readonly readId: string; readonly columns: readonly LakeColumn[] };
/** Body of `lake.read_next`, whose answer is a `LakePage`, and of `lake.read_close`. */
export type LakeReadRequest = { readonly readId: string };

/**
 * Answer of `lake.sync` (what the logs held when it was asked is projected) and of `lake.rebuild` (and that
 * again from nothing): the position reached in each log that exists.
 */
export type LakeSyncReply = { readonly projected: Readonly<Partial<Record<CellName, number>>> };
