import type { CellName } from './cell-name.ts';

/** A cell as the supervisor sees it. `cell.state` carries all of them whenever one comes up or goes down. */
export type CellReport = {
  readonly name: CellName;
  readonly state: 'down' | 'booting' | 'starting' | 'up' | 'failed' | 'stopping' | 'stopped';
  readonly pid: number | undefined;
  /** Restarts since the daemon started, including requested ones. */
  readonly restarts: number;
  /** Recent restarts that were not requested. */
  readonly deathsInARow: number;
  readonly reason: string;
  readonly rssBytes: number;
  /** Milliseconds since the last heartbeat. */
  readonly beatAgeMs: number;
  /** Longest silence between two heartbeats since this process came up, milliseconds. */
  readonly beatGapMaxMs: number;
};
