import { LIMITS, type ProcessAccount, type ProcessTimes, type WorkCounter } from '../../contract/core.ts';
import {
  type Between,
  helpersStarve,
  NOT_STARVED,
  type Starvation,
  starve,
  starvedMs,
  waited,
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
  /** The part of it since the process was last seen to read a file, milliseconds. */
  readonly ranUnreadMs: number;
  /** The times of the last look; undefined where none was possible. */
  readonly times: ProcessTimes | undefined;
  /** Its state at the last look at the whole account; undefined while there is no reason to take one. */
  readonly seen: ProcessAccount['state'] | undefined;
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
  /** Processor time in which it reads no file: what loads code reads, and what loops does not. Absent: any. */
  readonly runUnreadMs?: number;
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
  runUnreadMs: LIMITS.HEARTBEAT_BOOT_LOOP_MS,
  allMs: LIMITS.HEARTBEAT_BOOT_STARVED_MS,
};

export function patienceOf(isStarting: boolean): Patience {
  return isStarting ? STARTING : UP;
}

/** One and a half heartbeats: silent for longer than this, a cell is looked at. */
const SILENCE_NOTICED_MS = 1.5 * LIMITS.HEARTBEAT_MS;
/** Reads smaller than this are messages between threads, bytes. */
const READ_NOTICED_BYTES = 1_024;
/** A counter that stands for longer than this is looked at, milliseconds. */
const STALL_NOTICED_MS = 1_000;

const UNLOOKED = { starvation: NOT_STARVED, ranMs: 0, ranUnreadMs: 0, seen: undefined } as const;

export function newborn(nowMs: number): Liveness {
  return { lastBeatMs: nowMs, gapMaxMs: 0, work: {}, ...UNLOOKED, times: undefined };
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
  return { ...state, lastBeatMs: nowMs, gapMaxMs, work, ...UNLOOKED };
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

/**
 * Whether there is reason to ask the kernel about all threads of the process. Of a cell that beats and works only the
 * times are read, so that its next silence is known from its start.
 */
export function isSuspicious(state: Liveness, nowMs: number): boolean {
  if (nowMs - state.lastBeatMs > SILENCE_NOTICED_MS) return true;
  return Object.values(state.work).some(({ standsSinceMs }) => nowMs - standsSinceMs > STALL_NOTICED_MS);
}

/** Folds one look in; `look` is undefined where none was possible. */
export function observe(
  state: Liveness,
  between: Between,
  look: ProcessAccount | ProcessTimes | undefined,
): Liveness {
  const { times: last } = state;
  const whole = look && 'state' in look ? look : undefined;
  const seen = { times: look, seen: whole?.state };
  if (!last || !look) return { ...state, ...seen };
  const ranMs = Math.max(0, look.cpuMs - last.cpuMs);
  const hasRead = (look.readBytes ?? 0) - (last.readBytes ?? 0) >= READ_NOTICED_BYTES;
  const ran = {
    ranMs: state.ranMs + ranMs,
    // Not counted by this kernel: it may have read.
    ranUnreadMs: hasRead || look.readBytes === undefined ? 0 : state.ranUnreadMs + ranMs,
  };
  if (!whole) return { ...state, ...seen, ...ran, starvation: waited(state.starvation, between, last, look) };
  const helpers = helpersStarve(between.gapMs, last, whole);
  const work = Object.entries(state.work).map(([name, one]): [string, Work] => [
    name,
    helpers ? { ...one, starvedMs: one.starvedMs + between.countedMs } : one,
  ]);
  const starvation = starve(state.starvation, between, last, whole);
  return { ...state, ...seen, ...ran, work: Object.fromEntries(work), starvation };
}

/** Whether the cell still lives: it beats, and what waits is being worked on. */
export function judge(state: Liveness, nowMs: number, patience: Patience = UP): Verdict {
  const silentMs = nowMs - state.lastBeatMs;
  const excusedMs = Math.min(silentMs, starvedMs(state.starvation));
  if (isTooLong(silentMs, excusedMs, state, patience))
    return { alive: false, reason: `no heartbeat for ${Math.round(silentMs)} ms${how(state, excusedMs)}` };
  for (const [name, one] of Object.entries(state.work)) {
    const standsMs = nowMs - one.standsSinceMs;
    const starved = Math.min(standsMs, one.starvedMs);
    if (standsMs - starved > LIMITS.WORK_STALLED_MS || standsMs > LIMITS.WORK_STARVED_MS)
      return { alive: false, reason: `${name} has made no progress for ${Math.round(standsMs)} ms` };
  }
  return { alive: true };
}

function isTooLong(silentMs: number, excusedMs: number, state: Liveness, patience: Patience): boolean {
  const ownMs = silentMs - excusedMs;
  const mostMs = excusedMs > silentMs / 2 ? patience.ownLoadedMs : patience.ownMs;
  if (silentMs > patience.allMs) return true;
  if (patience.runMs === undefined) return ownMs > mostMs;
  const ran = Math.min(ownMs, state.ranMs);
  const loops = patience.runUnreadMs !== undefined && state.ranUnreadMs > patience.runUnreadMs;
  return ownMs - ran > mostMs || ran > patience.runMs || loops;
}

/** What the process did in its silence, for the log. */
function how({ seen }: Liveness, excusedMs: number): string {
  if (!seen) return '';
  const starved = excusedMs >= 1 ? `, ${Math.round(excusedMs)} ms of it starved by the host` : '';
  return ` (${seen}${starved})`;
}

/** Delay before restart number `failures` (from 1): doubling from the first, bounded. */
export function restartDelayMs(failures: number): number {
  return Math.min(
    LIMITS.RESTART_MAX_MS,
    LIMITS.RESTART_FIRST_MS * 2 ** Math.max(0, Math.min(20, failures - 1)),
  );
}
