/** A chunk is used at least this far, milliseconds: two answers in a row may fail before there is nothing to do. */
const BLIND_MS = 500;

export type PathMeasured = {
  /** 99th percentile from asking to the chunk, milliseconds; undefined before the first. */
  readonly p99Ms: number | undefined;
  readonly periodMs: number;
  readonly stepMs: number;
  /** Actions in a chunk of this policy. */
  readonly horizon: number;
};

export type Pace = {
  /** The next chunk is asked for when this much is left, milliseconds. */
  readonly refillMs: number;
  /** Actions taken of one chunk. */
  readonly horizon: number;
  /** Actions that may be used of one chunk at most. */
  readonly most: number;
  /** Actions that will have been executed when the answer comes. */
  readonly prefix: number;
};

/**
 * When to ask and how much to take. `threshold` is LeRobot's: the share of a chunk that is left; the measured path
 * asks earlier where that would be too late. `horizon` 0: as much as twice the path and half a second need, so that
 * a robot whose policy died does not act on what it saw long ago; never longer than `horizonMaxMs` after it was seen.
 */
export function paceOf(
  { p99Ms, periodMs, stepMs, horizon }: PathMeasured,
  options: { readonly threshold: number; readonly horizon: number; readonly horizonMaxMs: number },
): Pace {
  const path = p99Ms ?? 0;
  const needed = Math.ceil((2 * path + BLIND_MS + 2 * periodMs) / stepMs) + 1;
  const wanted = options.horizon || (p99Ms === undefined ? horizon : needed);
  const most = Math.min(horizon, Math.max(1, Math.floor(options.horizonMaxMs / stepMs)));
  const taken = Math.min(most, wanted);
  const chunkMs = taken * stepMs;
  const sure = 1.25 * path + 2 * periodMs + stepMs;
  return {
    refillMs: Math.min(chunkMs, Math.max(options.threshold * chunkMs, sure)),
    horizon: taken,
    most,
    prefix: Math.min(taken, Math.ceil((path + periodMs) / stepMs)),
  };
}
