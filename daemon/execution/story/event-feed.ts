import {
  type AgentEvent,
  type CellName,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  type Nanoseconds,
  type Sample,
  type Timer,
} from '../../../contract/core.ts';
import { EVENTS_TOPIC, isTold, LOG_TOPIC, samplesOf } from './event-samples.ts';
import { RecordingTime } from './recording-time.ts';

export type EventFeedParts = {
  readonly clock: Clock;
  /** Cells whose events are published: the one that decides, and the one that moves. */
  readonly cells: readonly CellName[];
  openReader(cell: CellName): EventReader;
  /** To the bus. */
  publish(sample: Sample): void;
  /** Messages that were not made, by topic; for the ledger. */
  dropped(topic: string, count: number): void;
  /** Samples of the robot are stamped by the clock of this host. */
  readonly isWall: boolean;
  report(level: 'warn', message: string, facts: Readonly<Record<string, unknown>>): void;
};

const EVERY_MS = 100;
/** A log is looked at this often also where no cell said that it grew: news may be lost. */
const ANYWAY_MS = 1_000;
/** What one look at a log may cost: this thread also carries commands. */
const LOOK_EVENTS = 128;
const LOOK_BYTES = 256 * 1024;
/** Events that may wait in a log. Of more, the oldest are dropped and counted. */
export const BACKLOG_MAX = 4_096;
/** The same failure is reported no more often. */
const REPORT_MS = 60_000;

/**
 * Publishes on the bus what agents, flows and safety decided. It reads the logs: what is durable there, once, in order.
 * The log is the queue, so a cell that writes events never waits. It starts at the end of each log: a recording
 * shows what happened while it was made.
 */
export class EventFeed {
  readonly #parts: EventFeedParts;
  readonly #time: RecordingTime;
  readonly #readers = new Map<CellName, EventReader>();
  readonly #after = new Map<CellName, number>();
  #timer: Timer | undefined;
  #reportedMs = -Infinity;
  /** Logs that may have more. */
  readonly #grown = new Set<CellName>();
  #anywayMs = -Infinity;

  constructor(parts: EventFeedParts) {
    this.#parts = parts;
    this.#time = new RecordingTime(parts.isWall);
  }

  start(): void {
    for (const cell of this.#parts.cells) {
      this.#readers.set(cell, this.#parts.openReader(cell));
      this.#guard(cell, (reader) => this.#after.set(cell, reader.lastSeq()));
    }
    this.#timer = this.#parts.clock.every(EVERY_MS, () => this.#lookWhereGrown());
  }

  /** The log of a cell has more events. */
  grew(cell: CellName): void {
    this.#grown.add(cell);
  }

  /** Every sample of the robot. */
  observe({ received }: Sample): void {
    if (!this.#parts.isWall) this.#time.observe(received, this.#parts.clock.now());
  }

  /** Time of the recording now; undefined before the first sample of a robot with a clock of its own. */
  now(): Nanoseconds | undefined {
    return this.#time.at(this.#parts.clock.now());
  }

  /** True where events are left. Never throws. */
  look(): boolean {
    let isMore = false;
    for (const cell of this.#parts.cells)
      this.#guard(cell, (reader) => (isMore = this.#read(cell, reader) || isMore));
    return isMore;
  }

  /** A look at a log costs three questions to the disk: it is asked where there is something to read. */
  #lookWhereGrown(): void {
    const { clock, cells } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#anywayMs >= ANYWAY_MS) {
      this.#anywayMs = nowMs;
      for (const cell of cells) this.#grown.add(cell);
    }
    for (const cell of [...this.#grown]) {
      this.#grown.delete(cell);
      this.#guard(cell, (reader) => {
        const isMore = this.#read(cell, reader);
        // Until the clock of the robot is known, its events wait in the log.
        if (isMore || this.now() === undefined) this.#grown.add(cell);
      });
    }
  }

  /** What is in the logs by now. Never throws. */
  flush(): void {
    for (let looks = 0; looks <= BACKLOG_MAX / LOOK_EVENTS && this.look(); looks++);
  }

  /** What is in the logs by now, then no more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.flush();
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }

  #read(cell: CellName, reader: EventReader): boolean {
    // A robot whose clock is not known yet: its events wait, since there is nothing beside which they could stand.
    if (this.#time.at(this.#parts.clock.now()) === undefined) {
      this.#skip(cell, reader);
      return false;
    }
    const after = this.#after.get(cell);
    if (after === undefined) {
      this.#after.set(cell, reader.lastSeq());
      return false;
    }
    const events = reader.read(after, LOOK_EVENTS, { bytesMax: LOOK_BYTES });
    for (const event of events) this.#tell(event);
    const last = events.at(-1);
    if (last) this.#after.set(cell, last.seq);
    else if (reader.lastSeq() < after) this.#after.set(cell, 0);
    if (last) this.#skip(cell, reader);
    return last !== undefined;
  }

  #tell(event: AgentEvent): void {
    if (!isTold(event)) return;
    const { robot_time_ns } = event.payload as { robot_time_ns?: unknown };
    const ownTime = !this.#parts.isWall && typeof robot_time_ns === 'string' && robot_time_ns !== '0';
    const time = ownTime ? BigInt(robot_time_ns) : this.#time.at(fromWireTime(event.ts));
    for (const sample of samplesOf(event, time ?? 0n)) this.#parts.publish(sample);
  }

  #skip(cell: CellName, reader: EventReader): void {
    const after = this.#after.get(cell) ?? 0;
    const over = reader.lastSeq() - after - BACKLOG_MAX;
    if (over <= 0) return;
    this.#after.set(cell, after + over);
    for (const { topic } of [LOG_TOPIC, EVENTS_TOPIC]) this.#parts.dropped(topic, over);
  }

  #guard(cell: CellName, work: (reader: EventReader) => void): void {
    const reader = this.#readers.get(cell);
    if (!reader) return;
    try {
      work(reader);
    } catch (thrown) {
      const nowMs = this.#parts.clock.monotonicMs();
      if (nowMs - this.#reportedMs < REPORT_MS) return;
      this.#reportedMs = nowMs;
      const { code, message } = EdgeError.from(thrown, 'log.failed', 'publish events', cell);
      this.#parts.report('warn', `events of the ${cell} cell are not recorded: ${message}`, { code });
    }
  }
}
