import {
  type BlobStore,
  type Clock,
  EdgeError,
  type EventPayload,
  LIMITS,
  type MapSnapshot,
  type NewEvent,
  type Robot,
  type RobotState,
} from '../../../contract/index.ts';
import { encodeMap, encodeState, ObservedMemory } from './observed-codec.ts';

type Read = EventPayload<'robot.observed'>['reads'][number];

/** Reads of one event; a run that reads more before it decides anything writes another. */
const READS_PER_EVENT_MAX = 256;
/** Encoded bytes of one event: well below what the log takes. */
const EVENT_BYTES_MAX = LIMITS.EVENT_PAYLOAD_BYTES_MAX / 2;
/** Reads that wait for an event. A run that only looks and never decides forgets them; its replay says so. */
const WAITING_BYTES_MAX = 2 * 1024 * 1024;

export type ObservedParts = {
  readonly runId: string;
  readonly clock: Clock;
  /** For maps that are too large for an event; without it such a map cannot be replayed. */
  readonly blobs: BlobStore | undefined;
  /** Events of this attempt that go before the first read. */
  readonly first?: readonly NewEvent[];
};

/**
 * Reads of the robot by a run, remembered. Reads change nothing and happen often, so none of them
 * costs a write of its own: `take` gives them to the next event that the run writes, which is the first that may
 * depend on them. A cut loses only reads on which nothing durable was built.
 */
export class ObservedReads implements Pick<Robot, 'state' | 'map'> {
  readonly #robot: Pick<Robot, 'state' | 'map'>;
  readonly #parts: ObservedParts;
  readonly #began: number;
  #memory = new ObservedMemory();
  #first: readonly NewEvent[];
  #waiting: { readonly read: Read; readonly bytes: number }[] = [];
  #waitingBytes = 0;
  #maps: Promise<void> = Promise.resolve();

  constructor(robot: Pick<Robot, 'state' | 'map'>, parts: ObservedParts) {
    this.#robot = robot;
    this.#parts = parts;
    this.#first = parts.first ?? [];
    this.#began = parts.clock.monotonicMs();
  }

  async state(): Promise<RobotState> {
    return await this.#noted(
      'state',
      () => this.#robot.state(),
      async (state) => encodeState(this.#memory, state),
    );
  }

  async map(): Promise<MapSnapshot | undefined> {
    return await this.#noted(
      'map',
      () => this.#robot.map(),
      async (map) => {
        const value = await encodeMap(this.#memory, map);
        const cells = value?.['cells'];
        if (typeof cells !== 'string' || cells.length <= EVENT_BYTES_MAX / 4) return value;
        const { blobs } = this.#parts;
        const { cells: _, ...shape } = value!;
        if (!blobs) return { ...shape, lost: cells.length };
        return { ...shape, blob: await blobs.put(Buffer.from(cells, 'base64')) };
      },
    );
  }

  /** What was read since the last time, as events; empty where nothing was. */
  take(): NewEvent[] {
    const events: NewEvent[] = [...this.#first];
    this.#first = [];
    let reads: Read[] = [];
    let size = 0;
    const close = () => {
      if (reads.length > 0)
        events.push({ kind: 'robot.observed', run_id: this.#parts.runId, payload: { reads } });
      reads = [];
      size = 0;
    };
    for (const { read, bytes } of this.#waiting) {
      if (reads.length === READS_PER_EVENT_MAX || size + bytes > EVENT_BYTES_MAX) close();
      reads.push(read);
      size += bytes;
    }
    close();
    this.#waiting = [];
    this.#waitingBytes = 0;
    return events;
  }

  async #noted<T>(
    what: Read['what'],
    ask: () => Promise<T>,
    encode: (seen: T) => Promise<Record<string, unknown> | undefined>,
  ): Promise<T> {
    let seen: T;
    try {
      seen = await ask();
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'robot.unreachable', what, 'robot');
      this.#note({ what, at_ms: this.#at(), error: error.toBody() });
      throw error;
    }
    const at_ms = this.#at();
    const noted = async () => {
      // A read that cannot be written down is no reason to keep it from the run.
      const value = await encode(seen).catch((): Record<string, unknown> => ({ lost: 1 }));
      this.#note({ what, at_ms, ...(value === undefined ? {} : { value }) });
    };
    if (what === 'state') {
      await noted();
      return seen;
    }
    // In the order of the reads: each map is the difference to the one before.
    this.#maps = this.#maps.then(noted);
    await this.#maps;
    return seen;
  }

  #note(read: Read): void {
    const bytes = JSON.stringify(read).length;
    this.#waiting.push({ read, bytes });
    this.#waitingBytes += bytes;
    if (this.#waitingBytes <= WAITING_BYTES_MAX) return;
    // What comes next builds on nothing that is gone.
    const lost = this.#waiting.length;
    this.#memory = new ObservedMemory();
    this.#waiting = [{ read: { what: read.what, at_ms: read.at_ms, value: { lost } }, bytes: 64 }];
    this.#waitingBytes = 64;
  }

  /** Milliseconds since the attempt started, to the microsecond. */
  #at(): number {
    return Math.round(Math.max(0, this.#parts.clock.monotonicMs() - this.#began) * 1000) / 1000;
  }
}
