import { LIMITS, type TimeTable } from '../../../contract/core.ts';

/** Times that are due, the oldest first; `passed`: older ones that are left out of the list, at least so many. */
export type DueTimes = { readonly times: readonly number[]; readonly passed: number };

/** From here on the window before now is made larger until it holds a time, milliseconds. */
const WINDOW_MS = 60_000;

/**
 * The times of a table after `cursorMs` that `isReady`, up to the first that is not; the newest `keep` of them.
 * Bounded: a schedule of each second that slept for a year costs no more than one that slept for a day.
 */
export function dueTimes(
  table: TimeTable,
  cursorMs: number,
  nowMs: number,
  keep: number,
  isReady: (dueMs: number) => boolean,
): DueTimes {
  const seen = scan(table, cursorMs, nowMs, isReady);
  if (!seen.cut) return newest(seen.times, 0, keep);
  let windowMs = WINDOW_MS;
  for (;;) {
    const late = scan(table, Math.max(cursorMs, nowMs - windowMs), nowMs, isReady);
    // A window with too much in it holds at least a second of the densest schedule there can be.
    if (late.times.length > 0 || nowMs - windowMs <= cursorMs) {
      return newest(late.times, LIMITS.SCHEDULE_SCAN_MAX, keep);
    }
    windowMs *= 4;
  }
}

function scan(table: TimeTable, afterMs: number, nowMs: number, isReady: (dueMs: number) => boolean) {
  const times: number[] = [];
  let at = table.next(afterMs);
  while (at !== undefined && at <= nowMs && isReady(at)) {
    if (times.length >= LIMITS.SCHEDULE_SCAN_MAX) return { times, cut: true };
    times.push(at);
    at = table.next(at);
  }
  return { times, cut: false };
}

function newest(times: readonly number[], passed: number, keep: number): DueTimes {
  const left = Math.max(0, times.length - keep);
  return { times: times.slice(left), passed: passed + left };
}
