import { LIMITS, type ProcessAccount, type WorkCounter } from '../../contract/core.ts';
import {
  type Between,
  helpersStarve,
  NOT_STARVED,
  type Starvation,
  starve,
  starvedMs,
} from './starvation.ts';

type Work = {
  readonly done: number;
  /** Since when it stands although work waits. */
  readonly standsSinceMs: number;
  /** The part of that in which the host kept the threads of the cell from running, milliseconds. */
  readonly starvedMs: number;
};

export type Liveness = {
  /** Monotonic milliseconds of the last heartbeat. */
  readonly lastBeatMs: number;
  /** Longest silence between two heartbeats so far, milliseconds. */
  readonly gapMaxMs: number;
  readonly work: Readonly<Record<string, Work>>;
  /** The host's part in the silence since the last heartbeat. */
  readonly starvation: Starvation;
  /** Processor time that the main thread got since the last heartbeat, as far as it was looked at, milliseconds. */
  readonly ranMs: number;
  /** The last account that was taken; undefined while there is no reason to take one. */
  readonly account: ProcessAccount | undefined;
};

export type Verdict = { readonly alive: true } | { readonly alive: false; readonly reason: string };

/** How long a cell may be silent, milliseconds. */
export type Patience = {
  /** Of its own time: the host is not to blame for it. */
  readonly ownMs: number;
  /** The same where the host starved it for most of its silence. */
  readonly ownLoadedMs: number;
  /** Processor time in it, which then does not count as its own time; absent: it does. */
  readonly runMs?: number;
  /** In total, for whatever reason. */
  readonly allMs: number;
};

const UP: Patience = {
  ownMs: LIMITS.HEARTBEAT_SILENT_MS,
  ownLoadedMs: LIMITS.HEARTBEAT_SILENT_LOADED_MS,
  allMs: LIMITS.HEARTBEAT_STARVED_MS,
};
/** A process that starts loads its code in one piece, perhaps from a cold disk. */
const STARTING: Patience = {
  ownMs: LIMITS.HEARTBEAT_BOOT_MS,
  ownLoadedMs: LIMITS.HEARTBEAT_BOOT_MS,
  runMs: LIMITS.HEARTBEAT_BOOT_RUN_MS,
  allMs: LIMITS.HEARTBEAT_BOOT_STARVED_MS,
};

export function patienceOf(isStarting: boolean): Patience {
  return isStarting ? STARTING : UP;
}

/** One and a half heartbeats: silent for longer than this, a cell is looked at. */
const SILENCE_NOTICED_MS = 1.5 * LIMITS.HEARTBEAT_MS;
/** A counter that stands for longer than this is looked at, milliseconds. */
const STALL_NOTICED_MS = 1_000;

export function newborn(nowMs: number): Liveness {
  return { lastBeatMs: nowMs, gapMaxMs: 0, work: {}, starvation: NOT_STARVED, ranMs: 0, account: undefined };
}

/** Folds one heartbeat in. A counter stands still only while it has something to do. */
export function beat(state: Liveness, nowMs: number, counters: readonly WorkCounter[]): Liveness {
  const work: Record<string, Work> = {};
  for (const { name, done, waiting } of counters) {
    const before = state.work[name];
    const stands = before !== undefined && before.done === done && waiting > 0;
    work[name] = stands ? before : { done, standsSinceMs: nowMs, starvedMs: 0 };
  }
  const gapMaxMs = Math.max(state.gapMaxMs, nowMs - state.lastBeatMs);
  return { ...state, lastBeatMs: nowMs, gapMaxMs, work, starvation: NOT_STARVED, ranMs: 0 };
}

/**
 * Takes `pausedMs` out of every account: the observer itself did not run that long (a stopped process, a
 * suspended machine), so what it did not hear in that time says nothing about the cell.
 */
export function pardon(state: Liveness, pausedMs: number): Liveness {
  const work = Object.fromEntries(
    Object.entries(state.work).map(([name, { standsSinceMs, ...rest }]) => [
      name,
      { ...rest, standsSinceMs: standsSinceMs + pausedMs },
    ]),
  );
  return { ...state, lastBeatMs: state.lastBeatMs + pausedMs, work };
}

/** Whether there is reason to ask the kernel about the process. A cell that beats and works costs no look. */
export function isSuspicious(state: Liveness, nowMs: number): boolean {
  if (nowMs - state.lastBeatMs > SILENCE_NOTICED_MS) return true;
  return Object.values(state.work).some(({ standsSinceMs }) => nowMs - standsSinceMs > STALL_NOTICED_MS);
}

/** Folds one look in; `account` is undefined where none was taken, or this host gives none. */
export function observe(state: Liveness, between: Between, account: ProcessAccount | undefined): Liveness {
  const { account: last } = state;
  if (!last || !account) return { ...state, account };
  const helpers = helpersStarve(between.gapMs, last, account);
  const work = Object.entries(state.work).map(([name, one]): [string, Work] => [
    name,
    helpers ? { ...one, starvedMs: one.starvedMs + between.countedMs } : one,
  ]);
  return {
    ...state,
    account,
    ranMs: state.ranMs + Math.max(0, account.cpuMs - last.cpuMs),
    work: Object.fromEntries(work),
    starvation: starve(state.starvation, between, last, account),
  };
}

/** Whether the cell still lives: it beats, and what waits is being worked on. */
export function judge(state: Liveness, nowMs: number, patience: Patience = UP): Verdict {
  const silentMs = nowMs - state.lastBeatMs;
  const excusedMs = Math.min(silentMs, starvedMs(state.starvation));
  if (isTooLong(silentMs, excusedMs, state.ranMs, patience))
    return { alive: false, reason: `no heartbeat for ${Math.round(silentMs)} ms${how(state, excusedMs)}` };
  for (const [name, one] of Object.entries(state.work)) {
    const standsMs = nowMs - one.standsSinceMs;
    const starved = Math.min(standsMs, one.starvedMs);
    if (standsMs - starved > LIMITS.WORK_STALLED_MS || standsMs > LIMITS.WORK_STARVED_MS)
      return { alive: false, reason: `${name} has made no progress for ${Math.round(standsMs)} ms` };
  }
  return { alive: true };
}

function isTooLong(silentMs: number, excusedMs: number, ranMs: number, patience: Patience): boolean {
  const ownMs = silentMs - excusedMs;
  const mostMs = excusedMs > silentMs / 2 ? patience.ownLoadedMs : patience.ownMs;
  if (silentMs > patience.allMs) return true;
  if (patience.runMs === undefined) return ownMs > mostMs;
  const ran = Math.min(ownMs, ranMs);
  return ownMs - ran > mostMs || ran > patience.runMs;
}

/** What the process did in its silence, for the log. */
function how({ account }: Liveness, excusedMs: number): string {
  if (!account) return '';
  const starved = excusedMs >= 1 ? `, ${Math.round(excusedMs)} ms of it starved by the host` : '';
  return ` (${account.state}${starved})`;
}

/** Delay before restart number `failures` (from 1): doubling from the first, bounded. */
export function restartDelayMs(failures: number): number {
  return Math.min(
    LIMITS.RESTART_MAX_MS,
    LIMITS.RESTART_FIRST_MS * 2 ** Math.max(0, Math.min(20, failures - 1)),
  );
}
