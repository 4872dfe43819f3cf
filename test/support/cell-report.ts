import type { CellName, CellReport } from '../../contract/index.ts';

/** What the supervisor tells of a cell. */
export function cellReport(
  name: CellName,
  state: CellReport['state'],
  more: Partial<CellReport> = {},
): CellReport {
  return {
    name,
    state,
    pid: state === 'up' ? 4_711 : undefined,
    restarts: 0,
    deathsInARow: 0,
    reason: '',
    rssBytes: 0,
    beatAgeMs: 0,
    beatGapMaxMs: 0,
    ...more,
  };
}
