import type { CellName } from './cell-name.ts';

/** A cell as the supervisor sees it. `cell.state` carries all of them whenever one comes up or goes down. */
export type CellReport = {
  readonly name: CellName;
  readonly state: 'down' | 'booting' | 'starting' | 'up' | 'failed' | 'stopping' | 'stopped';
  readonly pid: number | undefined;
  /** Since the daemon started, those that were ordered included. */
  readonly restarts: number;
  /** Nobody ordered these, and it was not up for long since. */
  readonly deathsInARow: number;
  readonly reason: string;
  readonly rssBytes: number;
  /** Milliseconds since the last heartbeat. */
  readonly beatAgeMs: number;
  /** Longest silence between two heartbeats since this process came up, milliseconds. */
  readonly beatGapMaxMs: number;
};
