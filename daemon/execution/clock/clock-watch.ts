import {
  type CellContext,
  type Clock,
  type ClockQuality,
  type EventPayload,
  type Sample,
  type Timer,
  toMs,
} from '../../../contract/core.ts';
import { JumpWatch } from './jump-watch.ts';
import { type StampFigures, StampWatch } from './stamp-watch.ts';

export type ClockWatchParts = {
  readonly clock: Clock;
  /** What the host says about its clock; must settle, may take seconds. */
  ask(): Promise<ClockQuality>;
  /** Whose stamps are watched: `ros`, `sim`; their clock is simulated where there is no other. */
  readonly source: string;
  readonly isSimulated: boolean;
  readonly emit: CellContext['emit'];
  readonly report: CellContext['report'];
  /** Called at each change, with text by name, for the metadata of segments. */
  onChange?(facts: Readonly<Record<string, string>>): void;
};

/** How often the wall clock is held against the monotonic one, milliseconds. */
const LOOK_MS = 1_000;
/** How often the host is asked, and how often the figures are reported although nothing changed, milliseconds. */
const ASK_MS = 60_000;
const TELL_MS = 10 * 60_000;
/** An offset to the reference that changed by less is no news, nanoseconds. */
const OFFSET_NEWS_NS = 5_000_000;
/** A stamp this far from its receipt is counted as this far: one absurd stamp must not swamp the figures. */
const OFFSET_MS_MAX = 1e12;

/** The clock of the host and of the source of samples: is it synchronised, how far are stamps off, did it jump. */
export class ClockWatch {
  readonly #parts: ClockWatchParts;
  readonly #jumps = new JumpWatch();
  readonly #stamps = new StampWatch();
  readonly #timers: Timer[] = [];
  #host: ClockQuality = { source: 'unknown', synchronised: false };
  #told: ClockQuality | undefined;
  #toldMs = -Infinity;
  #hasToldStamps = false;
  #isAsking = false;
  #closed = false;

  constructor(parts: ClockWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    const { clock } = this.#parts;
    this.#look();
    this.#timers.push(
      clock.every(LOOK_MS, () => this.#look()),
      clock.every(ASK_MS, () => void this.#ask()),
    );
    void this.#ask();
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** Every sample of the source. A stamp that equals the receipt is no stamp of its own. */
  sample({ stamp, received }: Sample): void {
    if (stamp === received) return;
    const ms = Number(received - stamp) / 1e6;
    this.#stamps.add(Math.max(-OFFSET_MS_MAX, Math.min(OFFSET_MS_MAX, ms)));
  }

  /** The clock that samples are stamped by. */
  get quality(): ClockQuality {
    return this.#parts.isSimulated ? { source: 'simulation', synchronised: true } : this.#host;
  }

  stamps(): StampFigures | undefined {
    return this.#stamps.figures();
  }

  async #ask(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#host = await this.#parts.ask();
    } catch {
      this.#host = { source: 'unknown', synchronised: false };
    } finally {
      this.#isAsking = false;
    }
    if (!this.#closed) this.#tellIfNews();
  }

  #look(): void {
    const { clock } = this.#parts;
    const jump = this.#jumps.look(toMs(clock.now()), clock.monotonicMs());
    if (jump !== undefined) {
      const reason = `the clock of this host stepped ${jump > 0 ? 'forwards' : 'backwards'} by ${Math.abs(jump / 1_000).toFixed(3)} s`;
      this.#parts.report('warn', reason);
      this.#tell({ clock: this.#host, subject: 'host', reason, jump_ms: jump });
      void this.#ask();
    } else if (!this.#hasToldStamps && this.#stamps.figures()) {
      this.#hasToldStamps = true;
      this.#tellSource('first stamps');
    }
  }

  #tellIfNews(): void {
    const before = this.#told;
    const { source, synchronised, offset_ns = 0 } = this.#host;
    const isNews =
      !before ||
      before.source !== source ||
      before.synchronised !== synchronised ||
      Math.abs((before.offset_ns ?? 0) - offset_ns) >= OFFSET_NEWS_NS;
    const isDue = this.#parts.clock.monotonicMs() - this.#toldMs >= TELL_MS;
    if (!isNews && !isDue) return;
    this.#told = this.#host;
    this.#toldMs = this.#parts.clock.monotonicMs();
    this.#tell({ clock: this.#host, subject: 'host', reason: isNews ? 'changed' : 'as before' });
    this.#tellSource(isNews ? 'the clock of the host changed' : 'as before');
  }

  #tellSource(reason: string): void {
    const stamps = this.#stamps.figures();
    this.#tell({
      clock: this.quality,
      subject: this.#parts.source,
      reason,
      ...(stamps ? { stamps } : {}),
    });
  }

  #tell(payload: EventPayload<'clock.quality'>): void {
    if (payload.subject !== 'host') this.#parts.onChange?.(factsOf(payload));
    this.#parts
      .emit([{ kind: 'clock.quality', payload }])
      .catch((error: unknown) =>
        this.#parts.report('warn', 'an event was not written', { error: String(error) }),
      );
  }
}

/** As MCAP metadata: text by name. */
function factsOf({ clock, subject, stamps }: EventPayload<'clock.quality'>): Record<string, string> {
  return {
    subject,
    source: clock.source,
    synchronised: String(clock.synchronised),
    ...(clock.offset_ns === undefined ? {} : { offset_ns: String(clock.offset_ns) }),
    ...(stamps
      ? { stamp_median_ms: stamps.median_ms.toFixed(3), stamp_spread_ms: stamps.spread_ms.toFixed(3) }
      : {}),
  };
}
