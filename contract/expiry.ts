import { EdgeError } from './edge-error.ts';
import { LIMITS } from './limits.ts';

/**
 * Commands carry the time when they were made, and expire. Both times are on the monotonic clock of the host
 * (CLOCK_MONOTONIC), milliseconds: `Clock.monotonicMs` is the same clock in every process and thread. A process that
 * was frozen finds old commands in its queues when it wakes up; it drops them.
 */

/** Throws `command.expired` for a command that was made too long ago, or without a time. */
export function checkFresh(
  operation: string,
  subject: string,
  madeAtMs: unknown,
  nowMs: number,
  countsMs: number = LIMITS.COMMAND_EXPIRY_MS,
): void {
  const ageMs = typeof madeAtMs === 'number' ? nowMs - madeAtMs : Number.NaN;
  // A time in the future comes from another boot or from another clock: it proves nothing.
  if (ageMs >= -countsMs && ageMs <= countsMs) return;
  const age = Number.isFinite(ageMs) ? `it was made ${Math.round(ageMs)} ms ago` : 'it has no time';
  throw new EdgeError('command.expired', {
    operation,
    subject,
    message: `${age}, a command counts for ${countsMs} ms`,
    hint: 'send it again if it is still wanted',
  });
}

/** Whether a sample may still be acted on. One without `expiresAtMs` may: it is a stop, or no command. */
export function hasExpired(expiresAtMs: number | undefined, nowMs: number): boolean {
  return expiresAtMs !== undefined && nowMs > expiresAtMs;
}
