import { LIMITS, type WorkCounter } from '../../contract/core.ts';

export type Liveness = {
  /** Monotonic milliseconds of the last heartbeat. */
  readonly lastBeatMs: number;
  /** Longest silence between two heartbeats so far, milliseconds. */
  readonly gapMaxMs: number;
  /** For each counter: the last value and since when it stands although work waits. */
  readonly work: Readonly<Record<string, { readonly done: number; readonly standsSinceMs: number }>>;
};

export type Verdict = { readonly alive: true } | { readonly alive: false; readonly reason: string };

export function newborn(nowMs: number): Liveness {
  return { lastBeatMs: nowMs, gapMaxMs: 0, work: {} };
}

/** Folds one heartbeat in. A counter stands still only while it has something to do. */
export function beat(state: Liveness, nowMs: number, counters: readonly WorkCounter[]): Liveness {
  const work: Record<string, { done: number; standsSinceMs: number }> = {};
  for (const { name, done, waiting } of counters) {
    const before = state.work[name];
    const stands = before !== undefined && before.done === done && waiting > 0;
    work[name] = { done, standsSinceMs: stands ? before.standsSinceMs : nowMs };
  }
  return { lastBeatMs: nowMs, gapMaxMs: Math.max(state.gapMaxMs, nowMs - state.lastBeatMs), work };
}

/**
 * Takes `pausedMs` out of every account: the observer itself did not run that long (a stopped process, a
 * suspended machine), so what it did not hear in that time says nothing about the cell.
 */
export function pardon(state: Liveness, pausedMs: number): Liveness {
  const work = Object.fromEntries(
    Object.entries(state.work).map(([name, { done, standsSinceMs }]) => [
      name,
      { done, standsSinceMs: standsSinceMs + pausedMs },
    ]),
  );
  return { ...state, lastBeatMs: state.lastBeatMs + pausedMs, work };
}

/** Whether the cell still lives: it beats, and what waits is being worked on. */
export function judge(state: Liveness, nowMs: number): Verdict {
  const silent = nowMs - state.lastBeatMs;
  if (silent > LIMITS.HEARTBEAT_SILENT_MS)
    return { alive: false, reason: `silent for ${Math.round(silent)} ms` };
  for (const [name, { standsSinceMs }] of Object.entries(state.work)) {
    const stands = nowMs - standsSinceMs;
    if (stands > LIMITS.WORK_STALLED_MS)
      return { alive: false, reason: `${name} stands still for ${Math.round(stands)} ms` };
  }
  return { alive: true };
}

/** Delay before restart number `failures` (from 1): doubling from the first, bounded. */
export function restartDelayMs(failures: number): number {
  return Math.min(
    LIMITS.RESTART_MAX_MS,
    LIMITS.RESTART_FIRST_MS * 2 ** Math.max(0, Math.min(20, failures - 1)),
  );
}
