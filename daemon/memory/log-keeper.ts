import {
  CELL_NAMES,
  type CellContext,
  type CellName,
  EdgeError,
  type LakeCursor,
  type LogCut,
  type NewEvent,
  pause,
} from '../../contract/core.ts';

/** What may be removed from a log, by the configuration. */
export type LogRules = {
  /** Events older than this go, milliseconds; 0: age is no reason. */
  readonly keepMs: number;
  /** What one log may take on the disk, bytes; 0: size is no reason. */
  readonly bytesMax: number;
  /** Nothing younger goes, whatever age and size say: keys of intents, and readers that are behind. Milliseconds. */
  readonly youngMs: number;
};

/** The log of one cell, while it is being made smaller. See `adapters/event-log/log-cutter.ts`. */
export type Cutter = {
  size(): { readonly firstSeq: number; readonly lastSeq: number; readonly bytes: number };
  lastBefore(ns: bigint): number;
  wholeRuns(through: number): number;
  readonly cut: LogCut | undefined;
  checkpoint(through: number): LogCut;
  step(): boolean;
  /** What goes is written elsewhere before, where the configuration asks for it. */
  archive(after: number, through: number): Promise<void>;
  close(): void;
};

/** Events up to `through` are no longer needed by it. */
export type Hold = { readonly who: string; readonly through: number };

export type LogKeeperParts = {
  readonly context: Pick<CellContext, 'clock' | 'emit' | 'report'>;
  readonly rules: LogRules;
  /** Undefined where there is no log yet. */
  open(cell: CellName): Cutter | undefined;
  /** Who still needs what: the link, quotas, schedules, exports of traces. */
  holds(cell: CellName, cutter: Cutter): readonly Hold[];
  /** Newest events that always stay. */
  readonly keepEvents: number;
};

/** A checkpoint is worth this many events. */
const EVENTS_MIN = 1_000;
/** Between two steps of a few milliseconds: appends go first. */
const STEP_PAUSE_MS = 15;
/** Of one round; the rest comes with the next one. */
const STEPS_MAX = 2_000;
const EVERY_MS = 10 * 60_000;

/**
 * Keeps the logs of all cells from growing for ever. Removes what is old, or too much, and no longer needed: it is in
 * the lake, central has acknowledged it where there is one, no open run is in it, no other user holds it. Each
 * removal starts with a signed checkpoint, and is an event itself.
 */
export class LogKeeper {
  readonly #parts: LogKeeperParts;
  #dueMs = 0;
  #stopped = false;

  constructor(parts: LogKeeperParts) {
    this.#parts = parts;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** When it is due; never throws. `cursors`: how far the lake is. */
  async look(cursors: Readonly<Partial<Record<CellName, LakeCursor>>>): Promise<void> {
    const { clock } = this.#parts.context;
    if (clock.monotonicMs() < this.#dueMs) return;
    this.#dueMs = clock.monotonicMs() + EVERY_MS;
    for (const cell of CELL_NAMES) if (!this.#stopped) await this.trim(cell, cursors[cell]?.seq ?? 0);
  }

  /** One log. Resolves to what was cut now; undefined: nothing. Never rejects. */
  async trim(cell: CellName, inLake: number): Promise<LogCut | undefined> {
    let cutter: Cutter | undefined;
    try {
      cutter = this.#parts.open(cell);
      return cutter && (await this.#trim(cell, cutter, inLake));
    } catch (thrown) {
      const { code, message } = EdgeError.from(thrown, 'log.failed', 'log.cut', cell);
      this.#parts.context.report('warn', `the event log of ${cell} could not be trimmed: ${message}`, {
        code,
      });
      return undefined;
    } finally {
      cutter?.close();
    }
  }

  async #trim(cell: CellName, cutter: Cutter, inLake: number): Promise<LogCut | undefined> {
    const { context, holds, keepEvents } = this.#parts;
    const before = cutter.size();
    // What a killed process had started comes first: its checkpoint stands.
    const { wanted, why } = this.#wanted(cutter, before);
    const needed: Hold[] = [
      { who: 'the lake', through: inLake - 1 },
      { who: 'readers', through: before.lastSeq - keepEvents },
      ...holds(cell, cutter),
    ];
    const held = needed.reduce((least, one) => (one.through < least.through ? one : least));
    const through = cutter.wholeRuns(Math.max(0, Math.min(wanted, held.through)));
    const from = cutter.cut?.through ?? 1;
    let cut: LogCut | undefined;
    if (through - Math.max(from, before.firstSeq) + 1 >= EVENTS_MIN) {
      await cutter.archive(from, through);
      cut = cutter.checkpoint(through);
    } else if (wanted - through >= EVENTS_MIN)
      context.report('info', `the event log of ${cell} keeps events that are ${why}`, {
        ...{ wanted, through },
        needed_by: held.through < wanted ? held.who : 'runs that are not over',
      });
    for (let steps = 0; steps < STEPS_MAX && !this.#stopped && cutter.step(); steps++)
      await pause(context.clock, STEP_PAUSE_MS);
    if (cut) await this.#tell(cell, cut, from, why, before.bytes - cutter.size().bytes);
    return cut;
  }

  #wanted(
    cutter: Cutter,
    { firstSeq, lastSeq, bytes }: ReturnType<Cutter['size']>,
  ): { wanted: number; why: string } {
    const { keepMs, bytesMax, youngMs } = this.#parts.rules;
    const now = this.#parts.context.clock.now();
    const before = (ms: number) => cutter.lastBefore(now - BigInt(Math.round(ms)) * 1_000_000n);
    const old = keepMs > 0 ? before(Math.max(keepMs, youngMs)) : 0;
    if (bytesMax === 0 || bytes <= bytesMax) return { wanted: old, why: 'old enough to be removed' };
    // Events are about as large as one another over so many.
    const share = (bytes - bytesMax) / bytes;
    const large = Math.min(firstSeq + Math.ceil((lastSeq - firstSeq) * share), before(youngMs));
    return large > old
      ? { wanted: large, why: 'too many for its size' }
      : { wanted: old, why: 'old enough to be removed' };
  }

  async #tell(log: CellName, cut: LogCut, from: number, reason: string, bytes: number): Promise<void> {
    const { through, hash, event_ts, key_id } = cut;
    const event: NewEvent = {
      kind: 'log.cut',
      payload: { log, from: from + 1, through, hash, event_ts, key_id, reason, bytes: Math.max(0, bytes) },
    };
    try {
      await this.#parts.context.emit([event]);
    } catch (error) {
      this.#parts.context.report('warn', 'the event that records the trimming of a log was not written', {
        error: String(error),
      });
    }
  }
}
