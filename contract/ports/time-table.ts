/**
 * The times at which something is due, as an ordered list without end. Pure: the same question has the same
 * answer, whatever the clock of this host says. Never throws and never blocks for long.
 */
export interface TimeTable {
  /**
   * The first time after `afterMs`, which is not counted; both in milliseconds since the epoch. Undefined: never again.
   */
  next(afterMs: number): number | undefined;
}

/**
 * Reads a cron expression (five fields, or six with seconds first; names such as `@daily`) in an IANA time zone.
 * Throws `config.invalid` with what is wrong. Where the clocks of the zone are changed:
 *
 * - An hour that comes twice: an entry that names its hours is due the first time only; an entry for every hour
 *   (`*` in the field of hours) is due both times.
 * - An hour that is skipped: an entry that names it is due later by the skipped time, so never lost.
 */
export type ReadTimeTable = (cron: string, timeZone: string) => TimeTable;
