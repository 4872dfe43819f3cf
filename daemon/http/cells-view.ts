import { CELL_NAMES, type CellName, type CellReport, TOPICS } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

/** One cell as the supervisor sees it. */
export type CellView = {
  readonly name: CellName;
  readonly state: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly reason: string;
  readonly rss_bytes: number;
  /** Time since the last heartbeat at the last report of the supervisor, and the longest silence since it is up. */
  readonly beat_age_ms: number;
  readonly beat_gap_max_ms: number;
};

const UNKNOWN: Omit<CellView, 'name'> = {
  state: 'unknown',
  pid: undefined,
  restarts: 0,
  reason: '',
  rss_bytes: 0,
  beat_age_ms: 0,
  beat_gap_max_ms: 0,
};

/** Remembers the last report of the supervisor about the cells. `unknown` until the first one. */
export class CellsView {
  readonly #cells = new Map<CellName, CellView>();

  constructor(bus: Pick<HttpPorts['bus'], 'onBroadcast'>) {
    for (const name of CELL_NAMES) this.#cells.set(name, { ...UNKNOWN, name });
    bus.onBroadcast(TOPICS.cellState, (body) => this.#told(body as readonly CellReport[]));
  }

  all(): readonly CellView[] {
    return CELL_NAMES.map((name) => this.#cells.get(name)!);
  }

  #told(reports: readonly CellReport[]): void {
    for (const report of reports) this.#cells.set(report.name, view(report));
  }
}

function view(report: CellReport): CellView {
  const { name, state, pid, restarts, reason, rssBytes, beatAgeMs, beatGapMaxMs } = report;
  return {
    name,
    state,
    pid,
    restarts,
    reason,
    rss_bytes: rssBytes,
    beat_age_ms: beatAgeMs,
    beat_gap_max_ms: beatGapMaxMs,
  };
}
