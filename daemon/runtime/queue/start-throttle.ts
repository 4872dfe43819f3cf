export type Throttle = { readonly starts: number; readonly withinMs: number };

/** Starts per application in a sliding window. Times are monotonic milliseconds. */
export class StartThrottle {
  readonly #starts = new Map<string, number[]>();

  /** Times that count no more are forgotten; after a restart they come from the log, in any order. */
  began(app: string, atMs: number, throttle: Throttle | undefined, nowMs: number): void {
    if (!throttle) return;
    const starts = (this.#starts.get(app) ?? []).filter((at) => at > nowMs - throttle.withinMs);
    if (atMs > nowMs - throttle.withinMs) starts.push(atMs);
    this.#starts.set(
      app,
      starts.sort((a, b) => a - b),
    );
  }

  /** When the next may start; undefined: now. */
  opensAtMs(app: string, throttle: Throttle | undefined, nowMs: number): number | undefined {
    if (!throttle) return undefined;
    const starts = (this.#starts.get(app) ?? []).filter((at) => at > nowMs - throttle.withinMs);
    const oldest = starts.at(-throttle.starts);
    return oldest === undefined ? undefined : oldest + throttle.withinMs;
  }
}
