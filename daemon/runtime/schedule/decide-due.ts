import { createHash } from 'node:crypto';
import { LIMITS, type ScheduleSpec, type TimeTable } from '../../../contract/core.ts';
import { dueTimes } from './due-times.ts';

/** What is to become of a time that is due, milliseconds since the epoch. */
export type DueDecision = {
  readonly dueMs: number;
  readonly action: 'run' | 'skipped';
  /** Times before this one that are not made up for. */
  readonly missed: number;
  readonly reason: string;
};

export type Decisions = {
  readonly due: readonly DueDecision[];
  /** Every time up to here has come by; undefined: none has. */
  readonly upToMs: number | undefined;
};

export type Position = {
  /** The last time that was decided. */
  readonly cursorMs: number;
  /** Those decided before, whatever the clock said then. */
  isDecided(dueMs: number): boolean;
};

/**
 * What is due now by a schedule, and what becomes of it, the oldest first. Pure. Deciding
 * is not doing: who does it writes it down first, and moves the position to the last of these times.
 */
export function decideDue(
  spec: ScheduleSpec,
  table: TimeTable,
  { cursorMs, isDecided }: Position,
  nowMs: number,
  robot: string,
): Decisions {
  const keep = spec.missed === 'run_all' ? LIMITS.SCHEDULE_MAKE_UP_MAX : 1;
  const ready = (dueMs: number) => dueMs + jitterOf(spec, dueMs, robot) <= nowMs;
  const { times, passed } = dueTimes(table, cursorMs, nowMs, keep, ready);
  // After a clock was set back the same times come by again.
  const fresh = times.filter((dueMs) => !isDecided(dueMs));
  const due = fresh.map((dueMs, i): DueDecision => {
    const missed = i === 0 ? passed : 0;
    const late = lateness(spec, dueMs, nowMs, robot);
    if (late !== undefined && spec.missed === 'skip')
      return { dueMs, action: 'skipped', missed, reason: `missed: ${late}` };
    return { dueMs, action: 'run', missed, reason: late === undefined ? 'due' : `made up for: ${late}` };
  });
  return { due, upToMs: times.at(-1) };
}

/** By how much a time was missed, in words; undefined: it was not. */
export function lateness(
  spec: ScheduleSpec,
  dueMs: number,
  nowMs: number,
  robot: string,
): string | undefined {
  const lateMs = nowMs - dueMs - jitterOf(spec, dueMs, robot);
  return lateMs > LIMITS.SCHEDULE_LATE_MS ? `seen ${seconds(lateMs)} late` : undefined;
}

/** When to look again, milliseconds since the epoch; undefined: never again. */
export function nextLook(
  spec: ScheduleSpec,
  table: TimeTable,
  cursorMs: number,
  robot: string,
): number | undefined {
  const due = table.next(cursorMs);
  return due === undefined ? undefined : due + jitterOf(spec, due, robot);
}

/** Milliseconds that a time is put off: spread over robots and times, but always the same for the same of both. */
export function jitterOf({ name, jitterMs }: ScheduleSpec, dueMs: number, robot: string): number {
  if (jitterMs === 0) return 0;
  const digest = createHash('sha256').update(`${robot}\n${name}\n${dueMs}`).digest();
  return digest.readUInt32BE(0) % (jitterMs + 1);
}

function seconds(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1_000)} s` : `${Math.round(ms / 60_000)} min`;
}
