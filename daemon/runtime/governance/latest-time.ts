import {
  type AgentEvent,
  type Clock,
  type EventReader,
  fromWireTime,
  type Nanoseconds,
  toMs,
} from '../../../contract/index.ts';
import { eachEvent } from '../../../history/each-event.ts';

/** Before this software was. A host without a battery boots with the clock of its image, until somebody sets it. */
const SET_SINCE = BigInt(Date.UTC(2025, 0, 1)) * 1_000_000n;

/** More than this on a clock that was not set is a step of it, nanoseconds: a month. */
const STEP = 31n * 86_400_000_000_000n;

/** Whether a clock that shows this may have been set. */
export function mayBeSet(moment: Nanoseconds): boolean {
  return moment >= SET_SINCE;
}

/**
 * The later of what the wall clock shows and what it must show since a moment that is known, by the clock that never
 * steps: setting the clock back gives no more time, setting it forward ends what would have ended then.
 */
export class LatestTime {
  readonly #clock: Clock;
  #floor: Nanoseconds;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#floor = clock.now();
    this.#at = clock.monotonicMs();
  }

  /**
   * What the log knew before this process wrote into it: the start of the cell is in there by now, and shows only what
   * this clock shows. Of starts whose clock was never set counts how long they were, where one before was set.
   */
  notBeforeLog(reader: EventReader): void {
    const starts = [...eachEvent(reader, { kinds: ['cell.started'] })];
    const momentAt = (seq: number) => {
      const event = seq > 0 ? reader.read(seq - 1, 1)[0] : undefined;
      return event && fromWireTime(event.ts);
    };
    const newest = momentAt((starts.at(-1)?.seq ?? reader.lastSeq() + 1) - 1);
    if (newest === undefined) return;
    this.notBefore(newest);
    let passed = 0n;
    for (let index = starts.length - 1; index >= 0; index--) {
      const end = momentAt(starts[index]!.seq - 1);
      if (end === undefined) return;
      if (mayBeSet(end)) {
        this.notBefore(end + passed);
        return;
      }
      const begun = starts[index - 1];
      if (begun) passed += between(fromWireTime(begun.ts), end);
    }
  }

  /** A moment that has certainly passed. */
  notBefore(moment: Nanoseconds): void {
    if (moment <= this.now()) return;
    this.#floor = moment;
    this.#at = this.#clock.monotonicMs();
  }

  now(): Nanoseconds {
    const wall = this.#clock.now();
    const mono = this.#clock.monotonicMs();
    const least = this.#floor + BigInt(Math.floor((mono - this.#at) * 1e6));
    const now = wall > least ? wall : least;
    this.#floor = now;
    this.#at = mono;
    return now;
  }

  ms(): number {
    return toMs(this.now());
  }

  /** By the clock that never steps. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
}

/** When events of a log were, milliseconds, asked in their order: while no clock was set time still passed. */
export function dating(): (event: AgentEvent) => number {
  let moment = 0n;
  let shown = 0n;
  return ({ ts }) => {
    const now = fromWireTime(ts);
    if (mayBeSet(now) || !mayBeSet(moment)) moment = now;
    else moment += between(shown, now);
    shown = now;
    return toMs(moment);
  };
}

function between(from: Nanoseconds, to: Nanoseconds): Nanoseconds {
  return to > from && to - from < STEP ? to - from : 0n;
}
