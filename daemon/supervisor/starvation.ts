import type { ProcessAccount, ProcessTimes } from '../../contract/core.ts';

/** Between two looks at a process, milliseconds. */
export type Between = {
  /** Real time since the last look. */
  readonly gapMs: number;
  /** The part of it in which the observer itself ran: only that part counts as silence. */
  readonly countedMs: number;
  /**
   * The process starts: it loads its code, which its other threads read for it. Later a thread that waits for the disk
   * excuses nothing, since a recorder writes without pause.
   */
  readonly isStarting?: boolean;
};

/** How much of a silence the host is to blame for. */
export type Starvation = {
  /** Waits that are over, milliseconds. */
  readonly endedMs: number;
  /** A wait for a processor that still lasts: the kernel adds it to its account only at its end, milliseconds. */
  readonly pendingMs: number;
  /**
   * Time that was looked at and is neither excused nor spent on a processor, milliseconds. A wait that had not ended at the
   * last look is taken from it when the kernel counts it.
   */
  readonly openMs: number;
};

export const NOT_STARVED: Starvation = { endedMs: 0, pendingMs: 0, openMs: 0 };

/** Share of the time in which some task waited for a processor; from here on the host counts as overloaded. */
const OVERLOADED_SHARE = 0.5;
/** Less than this share of an interval is nothing: the thread neither ran in it nor did a wait of it end. */
const NOTHING_SHARE = 0.1;

export function starvedMs({ endedMs, pendingMs }: Starvation): number {
  return endedMs + pendingMs;
}

/**
 * Folds in what happened between two looks. Excused is what the host did to the process: waits for a processor, the
 * disk, and sleep while its own threads wait for a processor on an overloaded host, or for the disk while it starts. A thread that computes, sleeps on a
 * quiet host, or is stopped by a signal has no excuse.
 */
export function starve(
  before: Starvation,
  { gapMs, countedMs, isStarting = false }: Between,
  last: ProcessTimes,
  now: ProcessAccount,
): Starvation {
  const ranMs = now.cpuMs - last.cpuMs;
  const ended = (ms: number) => excuse(before, countedMs, ranMs, ms);
  const waitedMs = (now.waitedMs ?? 0) - (last.waitedMs ?? 0);
  switch (now.state) {
    case 'disk':
      // Killing it gains nothing: no signal reaches it until the disk has answered.
      return ended(before.pendingMs + countedMs);
    case 'runnable': {
      if (now.waitedMs === undefined) return ended(gapMs - ranMs);
      const nothing = gapMs * NOTHING_SHARE;
      if (ranMs >= nothing || waitedMs >= nothing) return ended(waitedMs);
      const ms = clamp(gapMs - ranMs, countedMs);
      return { ...before, pendingMs: before.pendingMs + ms };
    }
    case 'sleeping': {
      const waitsForHelper = (isStarting && now.helpersOnDisk) || helpersStarve(gapMs, last, now);
      return ended(waitsForHelper ? Math.max(waitedMs, countedMs) : waitedMs);
    }
    case 'stopped':
    case 'dead':
      return ended(waitedMs);
  }
}

/** The same for a look at the times alone: only waits that are over are known. */
export function waited(
  before: Starvation,
  { countedMs }: Between,
  last: ProcessTimes,
  now: ProcessTimes,
): Starvation {
  const ms = (now.waitedMs ?? 0) - (last.waitedMs ?? 0);
  return excuse(before, countedMs, now.cpuMs - last.cpuMs, ms);
}

/** Never more than has passed, whatever the kernel counts. */
function excuse(before: Starvation, countedMs: number, ranMs: number, ms: number): Starvation {
  const passedMs = before.pendingMs + before.openMs + countedMs;
  const excusedMs = clamp(ms, passedMs);
  const openMs = Math.max(0, passedMs - excusedMs - Math.max(0, ranMs));
  return { endedMs: before.endedMs + excusedMs, pendingMs: 0, openMs };
}

/** Threads of the process want to run, and the host is overloaded. */
export function helpersStarve(gapMs: number, last: ProcessTimes, now: ProcessAccount): boolean {
  if (!now.helpersRunnable || now.pressureMs === undefined || last.pressureMs === undefined) return false;
  return now.pressureMs - last.pressureMs >= gapMs * OVERLOADED_SHARE;
}

function clamp(ms: number, most: number): number {
  return Math.min(most, Math.max(0, ms));
}
