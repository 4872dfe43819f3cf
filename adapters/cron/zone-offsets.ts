/** A stretch of time in which a zone keeps its offset to UTC; milliseconds since the epoch, `until` not included. */
export type ZoneSpan = { readonly from: number; readonly until: number; readonly offsetMs: number };

const DAY_MS = 86_400_000;
/** No zone changes its clocks and changes them back within less. */
const STEP_MS = 2 * DAY_MS;
/** A span is followed so far; a zone that never changes is looked at again there. */
const SPAN_MS_MAX = 400 * DAY_MS;
/** Spans remembered: two a year. */
const SPANS_MAX = 64;

/** Offsets of one IANA zone, from the tables of the JavaScript engine. Throws RangeError for an unknown zone. */
export class ZoneOffsets {
  readonly #format: Intl.DateTimeFormat;
  #spans: ZoneSpan[] = [];

  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /** The span that `ms` lies in. Its `from` is where the offset started, or long before `ms`. */
  at(ms: number): ZoneSpan {
    const known = this.#spans.find(({ from, until }) => from <= ms && ms < until);
    if (known) return known;
    const offsetMs = this.#offset(ms);
    const span = {
      from: this.#edge(ms, -STEP_MS, offsetMs),
      until: this.#edge(ms, STEP_MS, offsetMs),
      offsetMs,
    };
    this.#spans = [span, ...this.#spans].slice(0, SPANS_MAX);
    return span;
  }

  /** Where the offset of `ms` starts (`step` negative) or ends, to the second. */
  #edge(ms: number, step: number, offsetMs: number): number {
    let same = ms;
    for (let away = step; Math.abs(away) <= SPAN_MS_MAX; away += step) {
      if (this.#offset(ms + away) !== offsetMs) return this.#change(same, ms + away, step > 0);
      same = ms + away;
    }
    return step > 0 ? same + 1_000 : same;
  }

  /**
   * The first second of the later of two offsets, between a time that has the first offset and one that has the
   * other.
   */
  #change(ours: number, other: number, forwards: boolean): number {
    let [low, high] = forwards ? [ours, other] : [other, ours];
    const before = this.#offset(low);
    low = Math.floor(low / 1_000);
    high = Math.ceil(high / 1_000);
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offset(middle * 1_000) === before) low = middle;
      else high = middle;
    }
    return high * 1_000;
  }

  #offset(ms: number): number {
    const second = Math.floor(ms / 1_000) * 1_000;
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(second)) part[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: s = 0 } = part;
    return Date.UTC(year, month - 1, day, hour, minute, s) - second;
  }
}
