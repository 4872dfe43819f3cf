import { Cron } from 'croner';
import { EdgeError, type ReadTimeTable, type TimeTable } from '../../contract/core.ts';
import { ZoneOffsets } from './zone-offsets.ts';

/** Changes of the clocks that are looked past for a time that is rarely due: a good thirty years of them. */
const SPANS_MAX = 64;

/** Reads a cron expression; see `ReadTimeTable`. */
export const readTimeTable: ReadTimeTable = (cron, timeZone) => new CronTimeTable(cron, timeZone);

/**
 * Cron times of a zone. croner says which wall times match, as if clocks were never changed; which instants they
 * are is worked out here: croner itself leaves the second of two equal hours out for whatever is due each hour,
 * and in spring its times go backwards (10.0.1).
 */
class CronTimeTable implements TimeTable {
  readonly #pattern: Cron;
  readonly #zone: ZoneOffsets;
  /** Due in every hour that passes, not at hours that it names. */
  readonly #hourly: boolean;

  constructor(cron: string, timeZone: string) {
    try {
      this.#pattern = new Cron(cron, { utcOffset: 0, mode: '5-or-6-parts', paused: true });
    } catch (thrown) {
      throw invalid(cron, thrown, 'for example "0 3 * * *": each day at three');
    }
    try {
      this.#zone = new ZoneOffsets(timeZone);
    } catch (thrown) {
      throw invalid(timeZone, thrown, 'an IANA time zone such as "Europe/Berlin" or "UTC"');
    }
    this.#hourly = isHourly(cron);
  }

  next(afterMs: number): number | undefined {
    let after = afterMs;
    for (let spans = 0; spans < SPANS_MAX; spans++) {
      const { from, until, offsetMs: now } = this.#zone.at(after + 1);
      const { offsetMs: before } = this.#zone.at(from - 1);
      let start = after + now;
      // The hour that comes twice was served the first time.
      if (!this.#hourly && before > now) start = Math.max(start, from + before - 1);
      let found = this.#match(start, now);
      if (!this.#hourly && before < now) {
        const left = this.#match(Math.max(after + before, from + before - 1), before);
        // The hour that was left out: matched by the clock as it was, so later by what was left out.
        if (left !== undefined && left + before < from + now && left < (found ?? Infinity)) found = left;
      }
      if (found === undefined) return undefined;
      if (found < until) return found;
      after = until - 1;
    }
    return undefined;
  }

  /** The instant of the first match after a wall time, by an offset. */
  #match(wallMs: number, offsetMs: number): number | undefined {
    const found = this.#pattern.nextRun(new Date(wallMs));
    return found === null ? undefined : found.getTime() - offsetMs;
  }
}

function isHourly(cron: string): boolean {
  const text = cron.trim().toLowerCase();
  if (text.startsWith('@')) return text === '@hourly';
  const fields = text.split(/\s+/);
  return (fields[fields.length === 6 ? 2 : 1] ?? '').includes('*');
}

function invalid(subject: string, thrown: unknown, hint: string): EdgeError {
  const message = thrown instanceof Error ? thrown.message.split(' Original error')[0]! : String(thrown);
  return new EdgeError('config.invalid', { operation: 'read schedule', subject, message, hint });
}
