import { type LinkNetwork, OBJECT_LANES, type ObjectLaneName } from '../contract/core.ts';

export type LineBudgetParts = {
  readonly rules: readonly LinkNetwork[];
  readonly monotonicMs: () => number;
  /** Local date (2026-11-24) and minute of the day of this host. */
  readonly today: () => { readonly day: string; readonly minute: number };
  /** Interface on the way to central; empty: not known. */
  readonly network: () => string;
  readonly spent: (day: string, network: string) => number;
  readonly spend: (day: string, network: string, bytes: number) => void;
};

/** Debt of the line that is forgotten: after a long request of events files do not wait longer than this. */
const DEBT_MS_MAX = 30_000;

/** What the line may be used for now. Pure but for what is injected. */
export class LineBudget {
  readonly #parts: LineBudgetParts;
  #freeMs = 0;

  constructor(parts: LineBudgetParts) {
    this.#parts = parts;
  }

  /** Lanes of files that may go now, and why not all of them do. */
  allowed(): { readonly lanes: readonly ObjectLaneName[]; readonly reason: string } {
    if (this.#parts.rules.length > 0 && this.#parts.network() === '')
      return { lanes: [], reason: 'the network to central is not known' };
    const rule = this.#rule();
    if (!rule) return { lanes: OBJECT_LANES, reason: '' };
    const { day, minute } = this.#parts.today();
    const name = this.#parts.network();
    if (rule.hours.length > 0 && !rule.hours.some((span) => within(span, minute)))
      return { lanes: [], reason: `files do not go over ${name} at this time of the day` };
    if (rule.perDay > 0 && this.#parts.spent(day, name) >= rule.perDay)
      return { lanes: [], reason: `the bytes of this day for ${name} are used up` };
    const isAll = OBJECT_LANES.every((lane) => rule.lanes.includes(lane));
    return {
      lanes: OBJECT_LANES.filter((lane) => rule.lanes.includes(lane)),
      reason: isAll ? '' : `over ${name} go only: events ${rule.lanes.join(' ')}`,
    };
  }

  /** Bytes of files that may still go today; undefined: as many as there are. */
  restOfDay(): number | undefined {
    const rule = this.#rule();
    if (!rule || rule.perDay === 0) return undefined;
    return Math.max(0, rule.perDay - this.#parts.spent(this.#parts.today().day, this.#parts.network()));
  }

  /** Bytes a second; 0: no limit. */
  bandwidth(): number {
    return this.#rule()?.bandwidth ?? 0;
  }

  /** How long files wait for the line, milliseconds. */
  waitMs(): number {
    return this.bandwidth() === 0 ? 0 : Math.max(0, this.#freeMs - this.#parts.monotonicMs());
  }

  /** Bytes went over the line; `isFile`: they count for the day. */
  used(bytes: number, isFile: boolean): void {
    const now = this.#parts.monotonicMs();
    const bandwidth = this.bandwidth();
    if (bandwidth > 0)
      this.#freeMs = Math.min(Math.max(this.#freeMs, now) + (bytes / bandwidth) * 1_000, now + DEBT_MS_MAX);
    const rule = this.#rule();
    if (isFile && rule && rule.perDay > 0)
      this.#parts.spend(this.#parts.today().day, this.#parts.network(), bytes);
  }

  #rule(): LinkNetwork | undefined {
    const name = this.#parts.network();
    return this.#parts.rules.find((rule) => covers(rule.interface, name));
  }
}

function covers(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}

function within([from, to]: readonly [number, number], minute: number): boolean {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}
