import { LIMITS, type RouteState } from '../../../contract/core.ts';

/** What a look at a route found. `rebuild`: whether declaring it again may help, and how often it is worth a try. */
export type Finding =
  | {
      readonly state: 'fine';
      readonly progress: boolean /** Why nothing is expected. */;
      readonly idle?: string;
    }
  | { readonly state: 'down'; readonly reason: string }
  | {
      readonly state: 'silent' | 'diverged';
      readonly reason: string;
      readonly rebuild: 'again' | 'once' | 'never';
    };

export type Change = { readonly state: RouteState; readonly reason: string };

/**
 * The state of one route, from what each look finds. Pure. A route that stands still is declared again at once, and
 * again with doubling pauses while that does not help.
 *
 * | state \ finding | fine                  | silent, diverged                  | down |
 * |-----------------|-----------------------|-----------------------------------|------|
 * | up, idle        | up; idle where a topic has stopped | reported; rebuilt when the pause is over | down |
 * | silent, diverged| up                    | rebuilt when the pause is over    | down |
 * | rebuilt         | up with progress, or after the pause | nothing within the grace, then reported | down |
 * | down            | up                    | reported; rebuilt                     | -    |
 */
export class Canary {
  #state: RouteState = 'down';
  #reason = 'not started';
  #rebuilds = 0;
  #graceUntilMs = -Infinity;
  #nextRebuildMs = -Infinity;
  #pauseMs: number = LIMITS.ROUTE_REBUILD_FIRST_MS;

  get state(): RouteState {
    return this.#state;
  }

  get reason(): string {
    return this.#reason;
  }

  get rebuilds(): number {
    return this.#rebuilds;
  }

  /** What has to be reported, in order, and whether the route has to be declared again now. */
  look(finding: Finding, nowMs: number): { readonly told: readonly Change[]; readonly rebuild: boolean } {
    if (finding.state === 'down') return { told: this.#to('down', finding.reason), rebuild: false };
    if (finding.state === 'fine')
      return { told: this.#fine(finding.progress, finding.idle ?? '', nowMs), rebuild: false };
    if (nowMs < this.#graceUntilMs) return { told: [], rebuild: false };
    const told = this.#to(finding.state, finding.reason);
    // `once` is kept by its finder: what was tried is not found again before it came back.
    if (finding.rebuild === 'never' || nowMs < this.#nextRebuildMs) return { told, rebuild: false };
    this.#rebuilds += 1;
    this.#graceUntilMs = nowMs + LIMITS.ROUTE_SILENT_MS;
    this.#nextRebuildMs = nowMs + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LIMITS.ROUTE_REBUILD_MAX_MS);
    return { told: [...told, ...this.#to('rebuilt', finding.reason)], rebuild: true };
  }

  #fine(progress: boolean, idle: string, nowMs: number): Change[] {
    if (progress && nowMs >= this.#nextRebuildMs) this.#pauseMs = LIMITS.ROUTE_REBUILD_FIRST_MS;
    if (this.#state === 'rebuilt' && !progress && nowMs < this.#graceUntilMs) return [];
    return idle === '' ? this.#to('up', '') : this.#to('idle', idle);
  }

  #to(state: RouteState, reason: string): Change[] {
    // The figures in a reason change with every look; that is no news.
    const isNews = this.#state !== state || (state === 'down' && this.#reason !== reason);
    this.#state = state;
    this.#reason = reason;
    return isNews ? [{ state, reason }] : [];
  }
}
