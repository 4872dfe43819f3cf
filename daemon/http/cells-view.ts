import { CELL_NAMES, type CellName, TOPICS } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

/** One cell as the supervisor sees it. */
export type CellView = {
  readonly name: CellName;
  readonly state: string;
  readonly pid: number | undefined;
  readonly restarts: number;
  readonly reason: string;
  readonly rss_bytes: number;
  /** Since the last heartbeat when the supervisor last told, and the longest silence since it is up. */
  readonly beat_age_ms: number;
  readonly beat_gap_max_ms: number;
};

/** Remembers what the supervisor last told about the cells. `unknown` until it first speaks. */
export class CellsView {
  readonly #cells = new Map<CellName, CellView>();

  constructor(bus: Pick<HttpPorts['bus'], 'onBroadcast'>) {
    for (const name of CELL_NAMES) this.#cells.set(name, view(name, {}));
    bus.onBroadcast(TOPICS.cellState, (body) => this.#told(body));
  }

  all(): readonly CellView[] {
    return CELL_NAMES.map((name) => this.#cells.get(name)!);
  }

  #told(body: unknown): void {
    for (const report of Array.isArray(body) ? body : [body]) {
      if (typeof report !== 'object' || report === null) continue;
      const facts = report as Record<string, unknown>;
      const name = CELL_NAMES.find((cell) => cell === (facts['name'] ?? facts['cell']));
      if (name) this.#cells.set(name, view(name, facts));
    }
  }
}

function view(name: CellName, facts: Record<string, unknown>): CellView {
  const number = (key: string) => (typeof facts[key] === 'number' ? facts[key] : undefined);
  const up = facts['up'];
  const state =
    typeof facts['state'] === 'string' ? facts['state'] : up === undefined ? 'unknown' : up ? 'up' : 'down';
  return {
    name,
    state,
    pid: number('pid'),
    restarts: number('restarts') ?? 0,
    reason: typeof facts['reason'] === 'string' ? facts['reason'] : '',
    rss_bytes: number('rssBytes') ?? 0,
    beat_age_ms: number('beatAgeMs') ?? 0,
    beat_gap_max_ms: number('beatGapMaxMs') ?? 0,
  };
}
