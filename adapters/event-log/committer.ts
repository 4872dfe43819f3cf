import type { Draft } from './draft.ts';
import type { Committed, LogHead } from './log-store.ts';

/**
 * The thread that waits for the disk: the caller's or one of its own. One call at a time. Rejects with an
 * EdgeError; once `dead` it only rejects, and its owner opens another.
 */
export interface Committer {
  readonly dead: boolean;
  open(): Promise<LogHead>;
  commit(drafts: readonly Draft[]): Promise<Committed>;
  close(): Promise<void>;
}
